// Looks at the page again after data-seconds: it is about what is not there yet.
setTimeout(() => location.reload(), 1000 * Number(document.currentScript.dataset.seconds));
