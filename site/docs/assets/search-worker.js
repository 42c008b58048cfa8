// Stands before the theme's search worker, which gets an index with every page. Here the page hands over an empty one, and
// the real index is fetched with the first letter that somebody types. From then on the theme's worker answers by itself.
const [SETUP, READY, QUERY, RESULT] = [0, 1, 2, 3];
const index = new URL("../../../search/index.json", self.location);
let options, loading, question;

async function load() {
  const response = await fetch(index);
  if (!response.ok) throw new Error(`${index}: ${response.status}`);
  pass({ type: SETUP, data: { ...(await response.json()), options } });
  setTimeout(() => pass({ type: QUERY, data: question })); // when the theme's worker has taken the index in
}

function pass(message) {
  dispatchEvent(new MessageEvent("message", { data: { ...message, passed: true } }));
}

addEventListener("message", (event) => {
  const { type, data, passed } = event.data;
  if (passed) {
    if (type === QUERY) loading = "done";
    return;
  }
  if (loading === "done") return;
  event.stopImmediatePropagation();
  if (type === SETUP) {
    options = data.options;
    postMessage({ type: READY });
  } else if (type === QUERY && data.trim() && !loading) {
    question = data;
    loading = load().catch((error) => {
      loading = undefined;
      console.error(error);
    });
  } else if (type === QUERY) {
    question = data;
    if (!loading) postMessage({ type: RESULT, data: { items: [] } });
  }
});

importScripts("./theme-search.js");
