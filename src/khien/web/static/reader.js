// The worker that reads a picture: the QR code in it, or else its text, by Tesseract. It is given the pixels, loads what
// lies beside it, and sends nothing. It alone may compile WebAssembly: refusal.py gives that leave to this address.
"use strict";

const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0], // a function that answers v128 and does
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11], // i8x16.splat and i8x16.popcnt: old browsers know neither
);
const LSTM_ONLY = 1; // of Tesseract's engines, the one our model is for
const SPARSE = "3"; // page segmentation: find the columns and lines by yourself
const FAINTEST = 12; // of 255: letters that stand out less are not read
const MODEL = "vie.traineddata";

onmessage = async ({ data: { pixels, width, height } }) => {
  try {
    const code = codeIn(pixels, width, height);
    if (code !== null) postMessage({ code });
    else postMessage({ text: isBare(pixels) ? "" : await textIn(pixels, width, height) });
  } catch {
    postMessage({ failed: true });
  }
};

function codeIn(data, width, height) {
  importScripts("qr.js");
  try {
    return qr.decodeQR({ data, width, height });
  } catch {
    return null; // it says in this way that there is none
  }
}

/** Whether all is of about one colour: then there is no text, and nothing is loaded to look for it. */
function isBare(data) {
  for (let part = 0; part < 3; part++) {
    let [least, most] = [255, 0];
    for (let at = part; at < data.length; at += 4) {
      if (data[at] < least) least = data[at];
      if (data[at] > most) most = data[at];
    }
    if (most - least > FAINTEST) return false;
  }
  return true;
}

async function textIn(data, width, height) {
  postMessage({ step: "loading", part: 0 });
  const kind = WebAssembly.validate(SIMD) ? "simd" : "plain";
  importScripts(`tesseract/${kind}.js`);
  const [wasmBinary, model] = await Promise.all([asked(`${kind}.wasm`), asked(MODEL)]);
  const core = await TesseractCore({
    wasmBinary,
    TesseractProgress: (percent) => postMessage({ step: "reading", part: Math.max(0, (percent - 30) / 70) }),
    print: () => {},
    printErr: () => {},
  });
  postMessage({ step: "reading", part: 0 });
  core.FS.writeFile(MODEL, model);
  core.FS.writeFile("/input", grey(data, width, height));
  const api = new core.TessBaseAPI();
  if (api.Init(null, MODEL.split(".")[0], LSTM_ONLY) !== 0) throw new Error(`no model in ${MODEL}`);
  api.SetVariable("tessedit_pageseg_mode", SPARSE);
  if (api.SetImageFile(1, 0) !== 0) throw new Error("no picture");
  api.Recognize(null);
  return api.GetUTF8Text();
}

async function asked(name) {
  const answer = await fetch(`tesseract/${name}.gzip`);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The picture as Tesseract reads it: PGM, one octet for each pixel (ITU-R BT.601 luma). */
function grey(data, width, height) {
  const head = new TextEncoder().encode(`P5 ${width} ${height} 255\n`);
  const picture = new Uint8Array(head.length + width * height);
  picture.set(head);
  for (let n = 0, at = head.length; n < data.length; n += 4) {
    picture[at++] = (data[n] * 299 + data[n + 1] * 587 + data[n + 2] * 114) / 1000;
  }
  return picture;
}
