// What a question shows lies in shards beside the page: scripts, because a page opened as a file may read nothing else.

const KEPT = 24; // shards in memory: about 30 MB
const shards = new Map(); // name -> promise of its entries, the one used last at the end
const waiting = new Map(); // name -> what takes its entries

window.shard = (name, entries) => waiting.get(name)?.(entries);

function load(name) {
  const found = shards.get(name) ?? fetched(name);
  shards.delete(name);
  shards.set(name, found);
  if (shards.size > KEPT) shards.delete(shards.keys().next().value);
  return found;
}

function fetched(name) {
  const found = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    waiting.set(name, resolve);
    script.onload = script.onerror = () => { // after the script has run: too late to reject what has come
      script.remove();
      waiting.delete(name);
      reject(new Error(`${script.getAttribute("src")} cannot be read: it must lie beside this page, as it was made.`));
    };
    script.src = `gallery/${name}.js`;
    document.head.append(script);
  });
  found.catch(() => shards.delete(name));
  return found;
}

// The samples of a question with what their shards know of them. Rejects, saying which file, if one cannot be read.
async function complete(question, samples) {
  const rows = (await load(question.shard))[question.place];
  return Promise.all(samples.map(async (sample) => {
    const row = Object.fromEntries(rows[sample.number].map((value, at) => [index.columns[at], value]));
    return { ...sample, ...row, finding: question.finding, shown: row.shown && (await thumbnail(row.shown)) };
  }));
}

async function thumbnail([shard, radiograph, number]) {
  const { width, height, thumbnails, outlines } = (await load(`images-${shard}`))[radiograph];
  const [jpeg, frontal, regions] = thumbnails[number];
  return { width, height, jpeg, frontal, regions: outlines[regions] };
}
