"use strict";
(() => {
  const viewer = document.querySelector(".viewer");
  const stage = viewer.querySelector(".stage");
  const sheet = stage.querySelector(".sheet");
  const box = stage.querySelector(".box");
  const place = stage.querySelector(".place");
  const bar = stage.querySelector(".scale-bar span");
  const images = [...stage.querySelectorAll(".sheet img")];
  const layers = images.filter((image) => image.classList.contains("layer"));
  const choices = [...viewer.querySelectorAll("input[type=radio]")];
  const opacity = viewer.querySelector(".opacity input");
  const slider = viewer.querySelector(".slices input"); // of a stack
  const slices = slider ? slider.dataset.slices.split(" ").map(Number) : [];
  const width = Number(stage.dataset.width);
  const height = Number(stage.dataset.height);
  const reduction = Number(stage.dataset.reduction);
  const corner = [Number(stage.dataset.x), Number(stage.dataset.y)];
  const region = stage.dataset.region.split(" ").map(Number);
  const nm = Number(stage.dataset.nm) || null;
  const STEP = 1.4;
  const CLOSEST = 16; // px of the screen for each px of the scan

  // screen px for each px of the picture, and where the picture's corner lies in the stage
  let zoom = 1;
  let left = 0;
  let top = 0;
  const first = Number(stage.dataset.slice); // the slice that is shown first, and has all layers
  let slice = first;
  let layer = "overlay";
  let marked = null; // the pore that is shown: x, y, width and height in px of the picture

  const whole = () => Math.min(stage.clientWidth / width, stage.clientHeight / height);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  // as far as a picture may go along one side: a smaller one is centred, a larger one leaves no gap
  const held = (at, shown, room) => (shown <= room ? (room - shown) / 2 : clamp(at, room - shown, 0));

  function draw() {
    const least = whole();
    zoom = clamp(zoom, least, Math.max(least, CLOSEST * reduction));
    left = held(left, width * zoom, stage.clientWidth);
    top = held(top, height * zoom, stage.clientHeight);
    sheet.style.transform = `translate(${left}px, ${top}px) scale(${zoom})`;
    stage.classList.toggle("close", zoom > least * 1.001);
    stage.classList.toggle("large-pixels", zoom * devicePixelRatio >= 3);
    drawBox();
    drawBar();
  }

  function drawBox() {
    box.hidden = marked === null;
    if (box.hidden) return;
    const [x, y, w, h] = marked.map((length) => length * zoom);
    Object.assign(box.style, { left: `${left + x}px`, top: `${top + y}px`, width: `${w}px`, height: `${h}px` });
  }

  function drawBar() {
    const unit = nm === null ? ["px", 1] : [null, nm];
    const perScreen = (reduction / zoom) * unit[1];
    const most = Math.min(160, stage.clientWidth * 0.3) * perScreen;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((factor) => factor * power).find((value) => value <= most);
    bar.style.width = `${length / perScreen}px`;
    bar.textContent = unit[0] ? text(length, "px") : metric(length);
  }

  const text = (value, unit) => `${Number(value.toPrecision(3)).toLocaleString("en")}\u00a0${unit}`;
  const metric = (value) =>
    value >= 1e6 ? text(value / 1e6, "mm") : value >= 1e3 ? text(value / 1e3, "µm") : text(value, "nm");

  function zoomAt(factor, x, y) {
    const before = zoom;
    zoom = clamp(zoom * factor, whole(), Math.max(whole(), CLOSEST * reduction));
    left = x - ((x - left) * zoom) / before;
    top = y - ((y - top) * zoom) / before;
    draw();
  }
  const zoomMiddle = (factor) => zoomAt(factor, stage.clientWidth / 2, stage.clientHeight / 2);

  function fit() {
    zoom = whole();
    draw();
  }

  function choose(chosen) {
    layer = chosen;
    if (slice !== first && layer !== "none" && layer !== "overlay") slice = first; // others have no such layer
    for (const image of images) {
      const isOfSlice = Number(image.dataset.slice ?? first) === slice;
      image.hidden = !isOfSlice || (image.classList.contains("layer") && !image.classList.contains(layer));
    }
    for (const choice of choices) choice.checked = choice.value === layer;
    for (const part of viewer.querySelectorAll("[data-legend]")) part.hidden = part.dataset.legend !== layer;
    opacity.disabled = layer === "none";
    if (!slider) return;
    slider.value = slices.indexOf(slice);
    viewer.querySelector(".slices output").textContent = `${slice + 1} of ${stage.dataset.depth}`;
    viewer.querySelector(".first-shown").textContent = `Slice ${slice + 1} of ${stage.dataset.depth}.`;
  }

  function goTo(number) {
    slice = number;
    choose(layer === "none" ? layer : "overlay");
  }
  const step = (by) => slider && goTo(slices[clamp(slices.indexOf(slice) + by, 0, slices.length - 1)]);

  function show(x, y, w, h) {
    const [bx, by] = [(x - corner[0]) / reduction, (y - corner[1]) / reduction];
    const [bw, bh] = [w / reduction, h / reduction];
    marked = [bx, by, bw, bh];
    zoom = clamp(
      0.4 * Math.min(stage.clientWidth / bw, stage.clientHeight / bh), whole(), Math.max(whole(), 4 * reduction));
    left = stage.clientWidth / 2 - (bx + bw / 2) * zoom;
    top = stage.clientHeight / 2 - (by + bh / 2) * zoom;
    draw();
    viewer.scrollIntoView({ block: "start" });
    stage.focus({ preventScroll: true });
  }

  const at = (event) => {
    const frame = stage.getBoundingClientRect();
    return [event.clientX - frame.left - stage.clientLeft, event.clientY - frame.top - stage.clientTop];
  };

  // one pointer drags, two drag and zoom
  const pointers = new Map();
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, at(event));
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("moving");
  });
  stage.addEventListener("pointermove", (event) => {
    tell(event);
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, where]) => where);
    if (others.length) {
      const [x, y] = others[0];
      const spread = Math.hypot(now[0] - x, now[1] - y) / Math.max(1, Math.hypot(before[0] - x, before[1] - y));
      left += (now[0] - before[0]) / 2;
      top += (now[1] - before[1]) / 2;
      zoomAt(spread, (now[0] + x) / 2, (now[1] + y) / 2);
    } else {
      left += now[0] - before[0];
      top += now[1] - before[1];
      draw();
    }
    pointers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => {
      pointers.delete(event.pointerId);
      stage.classList.toggle("moving", pointers.size > 0);
    });
  }
  stage.addEventListener("pointerleave", () => (place.textContent = ""));
  stage.addEventListener("dblclick", (event) => zoomAt(2, ...at(event)));
  stage.addEventListener(
    "wheel",
    (event) => {
      // the page scrolls on until the picture was clicked
      if (document.activeElement !== stage && !event.ctrlKey) return;
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 30 : 1;
      zoomAt(Math.exp(-clamp(event.deltaY * lines, -200, 200) / 300), ...at(event));
    },
    { passive: false },
  );

  function tell(event) {
    const [x, y] = at(event);
    const [column, row] = [Math.floor(((x - left) / zoom) * reduction), Math.floor(((y - top) / zoom) * reduction)];
    const inside = column >= 0 && row >= 0 && column < region[0] && row < region[1];
    place.textContent = inside ? `x ${corner[0] + column}, y ${corner[1] + row} px` : "";
  }

  const keys = {
    ArrowLeft: () => (left += 60),
    ArrowRight: () => (left -= 60),
    ArrowUp: () => (top += 60),
    ArrowDown: () => (top -= 60),
    "+": () => zoomMiddle(STEP),
    "=": () => zoomMiddle(STEP),
    "-": () => zoomMiddle(1 / STEP),
    0: fit,
    PageUp: () => step(-1),
    PageDown: () => step(1),
  };
  for (const [index, choice] of choices.slice(0, 9).entries()) keys[index + 1] = () => choose(choice.value);
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
    draw();
  });

  const zooms = { in: () => zoomMiddle(STEP), out: () => zoomMiddle(1 / STEP), fit: () => ((marked = null), fit()) };
  for (const button of viewer.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", zooms[button.dataset.zoom]);
  }
  for (const choice of choices) choice.addEventListener("change", () => choose(choice.value));
  opacity.addEventListener("input", () => {
    for (const image of layers) image.style.opacity = opacity.value / 100;
  });
  slider?.addEventListener("input", () => goTo(slices[slider.value]));
  for (const button of document.querySelectorAll("[data-box]")) {
    button.addEventListener("click", () => {
      if (slider) goTo(Number(button.dataset.slice));
      show(...button.dataset.box.split(" ").map(Number));
    });
  }

  viewer.classList.add("live");
  document.documentElement.classList.add("script");
  Object.assign(sheet.style, { width: `${width}px`, height: `${height}px` });
  new ResizeObserver(() => (stage.classList.contains("close") ? draw() : fit())).observe(stage);
  choose("overlay"); // a page that is loaded again may remember another choice
  opacity.value = 100;
  fit();
})();
