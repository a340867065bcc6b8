// Folds long parts where the screen is narrow; without this script they stay open.
if (matchMedia("(max-width: 40rem)").matches) {
  for (const part of document.querySelectorAll("details.folds")) { part.open = false; }
}
