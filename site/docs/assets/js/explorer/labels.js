// Labels beside marks, each at the first place where it covers neither a mark nor another label. What finds none has none.

const GAP = 4;
const HEIGHT = 14;

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Boxes where a label of this width may stand beside a mark, the best first. `anchor` is as in SVG, `y` the baseline. */
function places({ x, y, radius, width }) {
  const near = radius + GAP;
  const far = near + 12;
  const at = (dx, dy, anchor) => {
    const left = x + dx - (anchor === "start" ? 0 : anchor === "end" ? width : width / 2);
    const baseline = y + dy + 4;
    const box = { left, right: left + width, top: baseline - HEIGHT + 3, bottom: baseline + 3 };
    return { x: x + dx, y: baseline, anchor, box };
  };
  return [near, far].flatMap((d) => [
    at(d, 0, "start"), at(-d, 0, "end"), at(0, -d - 4, "middle"), at(0, d + 6, "middle"),
    at(d * 0.8, -d * 0.8, "start"), at(-d * 0.8, -d * 0.8, "end"), at(d * 0.8, d * 0.8, "start"), at(-d * 0.8, d * 0.8, "end"),
  ]);
}

/** A place or null for each mark `{x, y, radius, width}`; those that come first choose first. `within` is the box of the plot. */
export function place(marks, within) {
  const taken = marks.map(({ x, y, radius }) => ({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius }));
  return marks.map((mark) => {
    const free = places(mark).find(({ box }) =>
      box.left >= within.left && box.right <= within.right && box.top >= within.top && box.bottom <= within.bottom &&
      !taken.some((other) => overlap(box, other)));
    if (!free) return null;
    taken.push(free.box);
    return free;
  });
}
