"use strict";
(() => {
  const body = document.body, key = "l402-batch marks " + body.dataset.key;
  const takes = [...document.querySelectorAll(".take")];
  const shots = [...document.querySelectorAll(".shot")].map(shot => ({ shot, takes: [...shot.querySelectorAll(".take")] }));
  const $ = id => document.getElementById(id);
  const name = take => take.dataset.id + "@" + take.dataset.take;
  // What the ledger had when the page was written; what is marked here stands above it until the ledger says something newer, or has another delivery.
  const base = new Map(takes.map(take => [take, { mark: take.dataset.mark, note: take.querySelector(".note")?.value ?? "" }]));
  const made = Number(body.dataset.made);
  let kept = {}, keeps = true, words = "";
  // Other tabs, and older and newer copies of the page, keep theirs in the same place.
  const load = () => { try { kept = JSON.parse(localStorage.getItem(key) ?? "{}") ?? {}; } catch { keeps = false; } };
  const store = () => { try { localStorage.setItem(key, JSON.stringify(kept)); keeps = true; } catch { keeps = false; } };
  const isOf = (own, take) => own?.base === take.dataset.base;
  const now = take => {
    const own = kept[name(take)];
    return isOf(own, take) ? { mark: own.mark, note: own.note } : base.get(take);
  };
  const show = take => {
    const { mark, note } = now(take), input = take.querySelector(".note");
    take.dataset.mark = mark;
    if (!input) return;
    if (input.value !== note) input.value = note;
    take.querySelector(".pick").setAttribute("aria-pressed", String(mark === "pick"));
    take.querySelector(".reject").setAttribute("aria-pressed", String(mark === "reject"));
    const said = { pick: ", picked", reject: ", rejected" }[mark] ?? "";
    take.setAttribute("aria-label", `${take.dataset.id}, take ${take.dataset.take}, ${take.dataset.state}${said}`);
  };
  const say = (take, mark, note) => {
    const was = base.get(take);
    if (keeps) load();
    if (mark === was.mark && note === was.note) delete kept[name(take)];
    else kept[name(take)] = { mark, note, base: take.dataset.base, made };
    store();
    show(take);
  };
  const tell = text => { words = text; count(); };
  const count = () => {
    const of = mark => takes.filter(take => take.dataset.mark === mark).length;
    const shown = takes.filter(take => !take.hidden).length;
    $("counts").textContent = `${shown} of ${takes.length} takes shown · ${of("pick")} picked · ${of("reject")} rejected`
      + (keeps ? "" : " · this browser keeps no marks: save them before you close the page") + (words ? ` · ${words}` : "");
  };
  const toggle = (take, mark) => {
    if (!take.querySelector(".marks")) return;
    const { mark: was, note } = now(take), is = was === mark ? "" : mark;
    say(take, is, note);
    tell(`${name(take)} ${{ pick: "picked", reject: "rejected", "": "without a mark" }[is]}`);
  };

  const text = new Map();
  const like = (take, shot) => {
    if (!text.has(take)) text.set(take, (shot.querySelector("h2").textContent + " " + take.dataset.id + " " + (shot.querySelector(".prompt")?.textContent ?? "")
      + " " + [...take.querySelectorAll("dd, pre")].map(cell => cell.textContent).join(" ")).toLowerCase());
    return text.get(take) + " " + (take.querySelector(".note")?.value ?? "").toLowerCase();
  };
  const filter = () => {
    const parts = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), state = $("state").value, mark = $("mark").value;
    for (const { shot, takes } of shots) {
      for (const take of takes) {
        const { dataset } = take;
        take.hidden = (state && dataset.state !== state) || (mark && dataset.mark !== (mark === "none" ? "" : mark))
          || ($("latest").checked && "replaced" in dataset) || !parts.every(part => like(take, shot).includes(part));
      }
      shot.hidden = takes.every(take => take.hidden);
    }
    $("none").hidden = takes.length === 0 || takes.some(take => !take.hidden);
    count();
  };

  const cell = text => {
    const safe = /^'*[=+\-@\t\r]/.test(text) ? "'" + text : text;
    return /[",;\r\n\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  // Ids that a spreadsheet may take for one: rows of both tell which is meant.
  const folded = take => take.dataset.id.toLowerCase().replace(/^0+(?=.)/, "");
  const csv = () => {
    const said = take => {
      const { mark, note } = now(take), was = base.get(take);
      return mark || note || was.mark || was.note;
    };
    const meant = new Set(takes.filter(said).map(folded));
    const first = new Map(takes.map(take => [take.dataset.id, take]).reverse()), ids = new Map();
    for (const take of first.values()) ids.set(folded(take), (ids.get(folded(take)) ?? 0) + 1);
    const rows = takes.filter(take => said(take) || (take.querySelector(".marks") && meant.has(folded(take)) && ids.get(folded(take)) > 1)).map(take => [body.dataset.batch, take.dataset.id, take.dataset.take, now(take).mark, now(take).note]);
    return [["batch", "id", "take", "mark", "note"], ...rows].map(row => row.map(cell).join(",") + "\r\n").join("");
  };
  const save = () => {
    const link = document.createElement("a"), rows = csv();
    link.href = URL.createObjectURL(new Blob([rows], { type: "text/csv" }));
    link.download = body.dataset.batch.replace(/[^\p{L}\p{N}._-]+/gu, "_") + ".marks.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    tell(`saved as ${link.download}`);
  };

  const media = take => take.querySelector("video, audio");
  const play = item => { item?.play().catch(() => {}); };
  const write = note => { note?.focus(); note?.setSelectionRange(note.value.length, note.value.length); };
  const move = by => {
    const shown = takes.filter(take => !take.hidden), at = shown.indexOf(document.activeElement?.closest(".take"));
    const next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + by, 0), shown.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  load();
  const passed = takes.filter(take => name(take) in kept && !isOf(kept[name(take)], take) && !(kept[name(take)].made > made));
  for (const take of passed) delete kept[name(take)];
  if (passed.length) store();
  addEventListener("storage", event => {
    if (event.key !== key) return;
    load();
    takes.forEach(show);
    filter();
  });
  for (const take of takes) {
    show(take);
    take.querySelector(".pick")?.addEventListener("click", () => toggle(take, "pick"));
    take.querySelector(".reject")?.addEventListener("click", () => toggle(take, "reject"));
    take.querySelector(".note")?.addEventListener("input", event => say(take, now(take).mark, event.target.value.replace(/[\r\n]+/g, " ")));
    // Controls of thousands of videos would take seconds to build: each gets them once somebody comes to its take.
    const control = () => { for (const video of take.querySelectorAll("video")) video.controls = true; };
    for (const come of ["focusin", "mouseenter"]) take.addEventListener(come, control, { once: true });
    for (const video of take.querySelectorAll("video")) {
      video.addEventListener("mouseenter", () => play(video));
      video.addEventListener("mouseleave", () => video.pause());
    }
  }
  document.addEventListener("keydown", event => {
    const take = event.target.closest(".take"), typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && typing) (take ?? event.target).focus(), take || event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      p: () => take && toggle(take, "pick"), r: () => take && toggle(take, "reject"), n: () => write(take?.querySelector(".note")),
      j: () => move(1), k: () => move(-1), arrowdown: () => take === event.target && move(1), arrowup: () => take === event.target && move(-1),
      arrowright: () => take === event.target && move(1), arrowleft: () => take === event.target && move(-1), "/": () => $("search").focus(),
      " ": () => {
        if (take !== event.target || !take) return false;
        const item = media(take);
        if (item) item.paused ? play(item) : item.pause();
      },
    }[event.key.toLowerCase()];
    if (!act || act() === false) return;
    if (take || "jk/".includes(event.key.toLowerCase())) event.preventDefault();
  });
  for (const option of [...$("state").options]) if (option.value && !takes.some(take => take.dataset.state === option.value)) option.remove();
  $("tools").addEventListener("submit", event => event.preventDefault());
  for (const id of ["search", "state", "mark", "latest"]) $(id).addEventListener("input", filter);
  $("save").addEventListener("click", save);
  filter();
})();
