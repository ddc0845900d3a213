// The colours of jaxquard/charts/theme.py, and what each becomes on a dark page.

export const SERIES = [
  "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#6a3d9a",
  "#8c510a", "#b2182b", "#5f6b00", "#1f3a93", "#767676", "#e6308a",
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
  "#6a3d9a": "#b79ae8",
  "#8c510a": "#c9996b",
  "#b2182b": "#ff7f7f",
  "#5f6b00": "#a8b545",
  "#1f3a93": "#8fa8ff",
  "#767676": "#bdbdbd",
  "#e6308a": "#ff77c0",
};
export const dark = matchMedia("(prefers-color-scheme: dark)");

/** A colour as it is on this page. */
export function shade(colour) {
  return dark.matches ? (DARK[colour] ?? colour) : colour;
}
