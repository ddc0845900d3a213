// The colours of jaxquard/charts/theme.py, and their replacements on a dark page.

export const SERIES = [
  "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#8800ff",
  "#663311", "#112288", "#554455", "#bb55ff", "#330044", "#dd1144",
];
const DARK = {
  "#ffffff": "#1a1f26",
  "#1f2328": "#e8e6e1",
  "#59636e": "#a3adb8",
  "#e4e7eb": "#323a44",
  "#0072b2": "#56b4e9",
  "#d55e00": "#f29a55",
  "#009e73": "#4cc9a0",
  "#cc79a7": "#e3a3c6",
  "#000000": "#f0e442",
  "#8800ff": "#8844ff",
  "#663311": "#bbffaa",
  "#112288": "#5566cc",
  "#554455": "#aa5599",
  "#bb55ff": "#dd0000",
  "#330044": "#ffffff",
  "#dd1144": "#cc3344",
};
export const dark = matchMedia("(prefers-color-scheme: dark)");

/** A colour as it is on this page. */
export function shade(colour) {
  return dark.matches ? (DARK[colour] ?? colour) : colour;
}
