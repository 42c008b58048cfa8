// The answer in a sentence or two: which method, in which setting, and why this one. What `in_short` says in Python.

const WHY = {
  memory: "No other needs less memory in the same setting.",
  disk: "No other stores fewer bytes for a task.",
  speed: "No other computes less in training, as far as that was traced.",
};
const gb = (bytes) => (bytes / 1e9).toFixed(1);
const OPENINGS = { fits: "Start with ", tight: "It may fit: try ", "does not fit": "Nothing fits. The nearest is " };

/** Text before the name of the first pick, and after it.
 * @param told `{trained, overhead, score, size, gigabytes, matters}`: the share that is trained and the overhead, both in words,
 *   and the score with the name of the model that it was measured on. */
export function sentence(pick, { trained, overhead, score, size, gigabytes, matters }) {
  const ways = pick.changes.length ? `with ${pick.changes.join(" and ")} it` : "it";
  const inference = overhead === "none" ? "leaves no extra work at inference" : `leaves extra work at inference (${overhead})`;
  const scored = score === null ? "No method that fits has a score in the survey’s experiment." : `Of these methods it scored highest on ${size} in the survey’s experiment.`;
  const why = pick.standing === "does not fit" ? "" : ` ${matters === "score" ? scored : WHY[matters]}`;
  return [
    OPENINGS[pick.standing],
    `: ${ways} needs about ${gb(pick.peak)} of ${gigabytes} GB, trains ${trained} % of the model and ${inference}.${why}`,
  ];
}
