// Replaces the live part of the page whenever the server says that it changed; reloads once the report is there.
const live = document.getElementById("live");
if (live) {
  const source = new EventSource(live.dataset.stream);
  source.addEventListener("live", (event) => { live.innerHTML = event.data; });
  source.addEventListener("ended", () => { source.close(); location.reload(); });
}
