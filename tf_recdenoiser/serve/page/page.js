// Everything that is shown comes as JSON and becomes text, never markup.

const by = (id) => document.getElementById(id);
const history = []; // {id, title, disliked}, oldest first; -1 for what nothing is said of
let about = {};
let latest = 0;

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(`page/${path}`, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function say(error) {
  by("error").textContent = error ? error.message : "";
  by("error").hidden = !error;
}

function called(item) {
  return item.title ? `${item.title} (${item.id})` : item.id;
}

function filled(template, item) {
  const line = by(template).content.firstElementChild.cloneNode(true);
  line.querySelector(".title").textContent = item.title;
  line.querySelector(".id").textContent = item.id;
  return line;
}

function measure(list, label, share, kind) {
  const row = document.createElement("div");
  const bar = document.createElement("dd");
  bar.className = `bar ${kind}`;
  bar.setAttribute("aria-hidden", "true");
  const part = bar.appendChild(document.createElement("span"));
  part.style.width = `${100 * share}%`;
  row.append(
    Object.assign(document.createElement("dt"), { textContent: label }),
    bar,
    Object.assign(document.createElement("dd"), { textContent: share.toFixed(2) }),
  );
  list.append(row);
}

function tagOf(item) {
  if (!item.known) return ["not an item of the log", "out"];
  if (!item.read) return ["too old to be read", "out"];
  if (!item.stays) return [about.feedback ? "disliked, left out" : "noise, left out", "noise"];
  if (about.gates && item.kept.every((share) => share === 0)) return ["pruned", "out"];
  return ["", ""];
}

function showHistory(items) {
  by("history").replaceChildren(...items.map((item, place) => {
    const line = filled("entry", item);
    const remove = line.querySelector(".remove");
    remove.setAttribute("aria-label", `Remove ${called(item)}`);
    remove.onclick = () => { history.splice(place, 1); run(); };
    const said = line.querySelector(".said");
    said.hidden = !about.feedback;
    said.value = history[place].disliked;
    said.setAttribute("aria-label", `What the user says of ${called(item)}`);
    said.onchange = () => { history[place].disliked = Number(said.value); run(); };
    if ("known" in item) {
      const [text, kind] = tagOf(item);
      line.querySelector(".tag").textContent = text;
      if (kind) line.classList.add(kind);
      const made = line.querySelector(".made");
      const found = about.feedback ? "disliked" : "noise";
      if (item.noise !== null) measure(made, found, item.noise, "noise");
      if (about.gates && item.read && item.stays) {
        item.kept.forEach((share, layer) => measure(made, `layer ${layer + 1}`, share, ""));
      }
    }
    return line;
  }));
  by("nothing").hidden = items.length > 0;
}

function showRecommended(items) {
  by("recommended").replaceChildren(...items.map((item) => {
    const line = filled("best", item);
    line.querySelector(".score").textContent = item.score.toFixed(3);
    const take = line.querySelector(".take");
    take.setAttribute("aria-label", `Add ${called(item)} to the history`);
    take.onclick = () => add(item);
    return line;
  }));
}

function push({ id, title }) {
  history.push({ id, title, disliked: -1 });
}

function add(item) {
  if (history.length >= about.most) return;
  push(item);
  run();
}

async function run() {
  const turn = ++latest;
  showHistory(history);
  try {
    const answer = await ask("try", {
      history: history.map((item) => item.id),
      disliked: history.map((item) => item.disliked),
      k: Number.parseInt(by("k").value, 10) || 1,
      exclude_seen: by("seen").checked,
      clean_history: by("clean").checked,
      user: by("user").value,
    });
    if (turn !== latest) return; // a newer question is on its way
    showHistory(answer.history);
    showRecommended(answer.recommended);
    say(null);
  } catch (error) {
    if (turn === latest) say(error);
  }
}

let waiting = 0;
function look() {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const text = by("search").value;
    const { items } = await ask(`items?q=${encodeURIComponent(text)}`).catch(() => ({ items: [] }));
    by("found").replaceChildren(...items.map((item) =>
      Object.assign(document.createElement("option"), { value: item.id, label: called(item) })));
  }, 150);
}

by("add").onsubmit = async (event) => {
  event.preventDefault();
  const text = by("search").value.trim();
  if (!text) return;
  try {
    const { items } = await ask(`items?q=${encodeURIComponent(text)}`);
    const item = items.find((one) => one.id === text) || items[0];
    if (!item) throw new Error(`No item has this in its id or title: ${text}`);
    by("search").value = "";
    add(item);
  } catch (error) {
    say(error);
  }
};
by("search").oninput = look;
by("search").onfocus = look;
by("example").onclick = async () => {
  try {
    const answer = await ask("example");
    history.length = 0;
    answer.history.forEach(push);
    run();
  } catch (error) {
    say(error);
  }
};
by("clear").onclick = () => { history.length = 0; run(); };
for (const id of ["clean", "seen", "k", "user"]) by(id).onchange = run;

function layOut() {
  by("name").textContent = about.name;
  document.title = `${about.name}: try a history`;
  by("about").textContent = `${about.model}, ${about.items.toLocaleString("en")} items. `
    + `It reads the newest ${about.length} items of a history.`;
  by("search-label").textContent = about.titles ? "Add an item by title or id" : "Add an item by id";
  by("hint").textContent = [
    "Oldest item first.",
    about.gates ? "“Layer” is how much of an item passes that layer's gate: 0 is pruned." : "",
    about.feedback ? "“Disliked” is how probably the user disliked it." : "",
    about.noise && !about.feedback ? "“Noise” is how probably it is noise." : "",
    about.times ? "A day is taken to lie between one item and the next." : "",
  ].join(" ");
  by("k").max = about.most_k;
  by("clean-label").hidden = !about.noise;
  const what = about.feedback ? "what was probably disliked" : "what is probably noise";
  by("clean-what").textContent = `${about.softens ? "Weaken" : "Leave out"} ${what}`;
  by("user-label").hidden = !about.users;
}

(async () => {
  try {
    about = await ask("about");
    layOut();
    const answer = await ask("example");
    answer.history.forEach(push);
    run();
  } catch (error) {
    say(error);
  }
})();
