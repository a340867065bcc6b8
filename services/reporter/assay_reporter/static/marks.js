// Marks in every response what control's response to the same item does not have, word by word, once it is in sight.
// Texts stay texts: pieces become text nodes, never markup.
const WORDS = /[\p{L}\p{N}_]+\s*|[^\p{L}\p{N}_\s]\s*|\s+/gu;
const MOST_WORDS = 1200;
const LEAST_ALIKE = 0.3;

// Which words of `after` are in a longest common subsequence with `before`; null where there is none worth marking.
function kept(before, after) {
  const [a, b] = [before, after].map((words) => words.map((word) => word.trimEnd() || " "));
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [here, right, down] = [i * width + j, i * width + j + 1, (i + 1) * width + j];
      length[here] = a[i] === b[j] ? length[down + 1] + 1 : Math.max(length[right], length[down]);
    }
  }
  if (2 * length[0] < LEAST_ALIKE * (a.length + b.length)) { return null; }
  const found = new Array(b.length).fill(false);
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) { found[j] = true; i += 1; j += 1; }
    else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) { i += 1; }
    else { j += 1; }
  }
  return found;
}

function mark(item) {
  const control = item.querySelector(".answer.control pre");
  if (!control) { return; }
  const before = control.textContent.match(WORDS) ?? [];
  for (const text of item.querySelectorAll(".answer:not(.control) pre")) {
    const after = text.textContent.match(WORDS) ?? [];
    if (text.textContent === control.textContent || Math.max(before.length, after.length) > MOST_WORDS) { continue; }
    const same = kept(before, after);
    if (!same) { continue; }
    const pieces = [];
    for (let start = 0, end = 0; start < after.length; start = end) {
      while (end < after.length && same[end] === same[start]) { end += 1; }
      const piece = document.createTextNode(after.slice(start, end).join(""));
      if (same[start]) { pieces.push(piece); continue; }
      const marked = document.createElement("mark");
      marked.append(piece);
      pieces.push(marked);
    }
    text.replaceChildren(...pieces);
  }
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((one) => one.isIntersecting)) {
    seen.unobserve(entry.target);
    mark(entry.target);
  }
}, { rootMargin: "600px" });
for (const item of document.querySelectorAll("article.item")) { seen.observe(item); }
