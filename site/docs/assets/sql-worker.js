// The engine, shut in: it may read what the page hands it (blob:), and nothing else. It would fetch extensions otherwise.
const refuse = (address) => {
  if (!String(address).startsWith("blob:")) throw new Error("this page loads no extensions and no other files");
};
const { open } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.open = function (method, address, ...rest) {
  refuse(address);
  return open.call(this, method, address, ...rest);
};
const fetched = self.fetch;
self.fetch = (input, ...rest) => {
  refuse(input.url ?? input);
  return fetched(input, ...rest);
};
importScripts("duckdb/duckdb-eh.worker.js");
self.importScripts = refuse;
self.WebSocket = self.EventSource = undefined;
