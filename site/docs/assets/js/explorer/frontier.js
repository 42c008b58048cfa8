// Which points no other point is better than, and the line that joins them.

/** Indexes of the points `[x, y]` to which none is better in one value and at least as good in the other, from left to right.
 *  `better` is "less" or "more" for each; nothing is found where one of them is null. */
export function frontier(points, betterX, betterY) {
  if (!betterX || !betterY) return [];
  const signX = betterX === "more" ? 1 : -1;
  const signY = betterY === "more" ? 1 : -1;
  const order = points.map((_, i) => i);
  order.sort((a, b) => signX * (points[b][0] - points[a][0]) || signY * (points[b][1] - points[a][1]));
  const found = [];
  for (const i of order) {
    const last = found.length ? points[found.at(-1)] : null;
    const equal = last && points[i][0] === last[0] && points[i][1] === last[1];
    if (!last || equal || signY * (points[i][1] - last[1]) > 0) found.push(i);
  }
  return found.sort((a, b) => points[a][0] - points[b][0] || points[a][1] - points[b][1]);
}

/** Corners of the line along the frontier: what lies beyond it, some point on it is at least as good as. */
export function steps(points, betterX) {
  return points.flatMap(([x, y], i) => {
    if (!i) return [[x, y]];
    const [beforeX, beforeY] = points[i - 1];
    return [betterX === "less" ? [x, beforeY] : [beforeX, y], [x, y]];
  });
}
