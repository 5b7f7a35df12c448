// Letters of the help pages, filled as one types and printed or saved from here. What is typed is sent nowhere and kept
// nowhere: the blanks are empty again when the page is left.

const BLANKS = "[data-blank]";
const form = () => document.querySelector("form[data-letter]");
const text = () => document.querySelector("[data-letter-text]");
let empty = new Map(); // what stands in each blank before anything is typed

function begin() {
  if (!form() || !text()) return;
  empty = new Map(Array.from(text().querySelectorAll(BLANKS), (blank) => [blank, blank.textContent]));
  form().hidden = false;
}

function fill() {
  for (const [blank, before] of empty) blank.textContent = form().elements[blank.dataset.blank]?.value.trim() || before;
}

function save() {
  const saved = document.createElement("a");
  saved.href = URL.createObjectURL(new Blob([text().textContent], { type: "text/plain;charset=utf-8" }));
  saved.download = document.documentElement.lang === "vi" ? "ghi-chu.txt" : "note.txt"; // whoever looks there reads it
  saved.click();
  URL.revokeObjectURL(saved.href);
}

document.addEventListener("input", ({ target }) => target.form?.matches("[data-letter]") && fill());
document.addEventListener("reset", () => setTimeout(() => form() && fill())); // fields are empty only after it
document.addEventListener("submit", (sent) => sent.target.matches("[data-letter]") && sent.preventDefault());
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-letter-print]")) print();
  if (target.closest("[data-letter-save]")) save();
});
document.addEventListener("walked", begin); // exit.js brought another letter to where the last one was

begin();
