// Memory of a training step by formulas in the dimensions of a model: what surveykit/fit/formulas.py does.

const EIGHT_BITS = 2 + 8 / 256; // two moments in 8 bits, and a scale for 256 numbers each

export const sum = (polynomial, values) => {
  let total = 0;
  for (let i = 0; i < polynomial.length; i += 2) total += values[polynomial[i]] * polynomial[i + 1];
  return total;
};

/** Every monomial at dimensions. */
export const valuesAt = (formulas, at) =>
  formulas.monomials.map((monomial) =>
    monomial.split("*").filter(Boolean).reduce((product, name) => product * at[name], 1));

/** Parts of the peak in bytes; null where there is no formula. */
export function memory(formulas, configuration, run, optimizer, values) {
  const known = formulas.configurations[configuration];
  const found = known?.runs[run];
  if (!found) return null;
  const weights = sum(found.weights, values);
  const gradients = sum(found.gradients, values);
  const few = EIGHT_BITS * sum(known.trained, values);
  const own = sum(found.state, values);
  const state = { "adamw-fused": own, "adamw-foreach": own, "adamw-8bit": few, "paged-adamw-8bit": few, sgd: 0 }[optimizer];
  const stepping = sum(found.optimizer, values) + (optimizer === "adamw-foreach" ? gradients : 0);
  let parts = [gradients, 0, 0, Math.max(0, stepping - gradients)];
  let most = total(parts);
  let best = null;
  for (const moment of found.moments) {
    const live = moment.map((part) => sum(part, values));
    if (best === null || total(live) > total(best)) best = live;
  }
  if (best !== null && total(best) >= most) parts = best;
  const [a, logits, activations, working] = parts.map(Math.round);
  const named = { weights: Math.round(weights), optimizer: Math.round(state), gradients: a, logits, activations, working };
  return { parts: named, peak: total(Object.values(named)) };
}

const total = (numbers) => numbers.reduce((all, one) => all + one, 0);
