// Leads from an old address to the new one, with the question and the place on the page that the link had.
const to = new URL(document.querySelector("main a").href);
to.search = location.search;
if (location.hash) to.hash = location.hash;
location.replace(to);
