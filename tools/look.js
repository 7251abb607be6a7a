// look.js - opens pages in a headless Chromium as people do: on a desk and on a phone, light and dark, and on paper.
//
//     NODE_PATH=FOLDER/node_modules CHROMIUM=/usr/bin/chromium node tools/look.js OUT PAGE.html...
//
// Fails on: anything in the console, a request that leaves the page, a body that scrolls sideways, an axe-core violation
// (wcag2a, wcag2aa, wcag21a, wcag21aa, best-practice), text of a chart that ends up smaller than 9 px, and texts of a
// chart that overlap. Writes screenshots and a PDF of each page to OUT. It needs puppeteer-core and axe-core (npm) and a
// Chromium, and is no part of `make test`.
const fs = require('fs'), path = require('path'), { pathToFileURL } = require('url');
const puppeteer = require('puppeteer-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const sizes = [{ name: 'desk', width: 1440, height: 900 }, { name: 'phone', width: 390, height: 844, isMobile: true }];
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];

// Runs in the page: texts of the charts that are shown, too small or on top of one another.
function chartFaults() {
  const faults = [];
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    if (!svg.getClientRects().length) continue;
    const name = svg.querySelector('title').textContent, frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(t => ({ words: t.textContent, turned: t.hasAttribute('transform'),
      box: t.getBoundingClientRect(), size: parseFloat(getComputedStyle(t).fontSize) * svg.getScreenCTM().a }));
    for (const t of texts) {
      if (t.size < 9) faults.push(`${name}: '${t.words}' is ${t.size.toFixed(1)} px high`);
      if (t.box.left < frame.left - 1 || t.box.right > frame.right + 1) faults.push(`${name}: '${t.words}' leaves the picture`);
    }
    const flat = texts.filter(t => !t.turned);
    for (let i = 0; i < flat.length; i++)
      for (let j = i + 1; j < flat.length; j++) {
        const a = flat[i].box, b = flat[j].box, slack = 3;
        if (a.left + slack < b.right && b.left + slack < a.right && a.top + slack < b.bottom && b.top + slack < a.bottom)
          faults.push(`${name}: '${flat[i].words}' lies on '${flat[j].words}'`);
      }
  }
  return faults;
}

async function look(browser, file, out, size, scheme) {
  const page = await browser.newPage(), faults = [], stem = `${path.basename(file, '.html')}-${size.name}-${scheme}`;
  page.on('console', m => faults.push(`console: ${m.text()}`));
  page.on('pageerror', e => faults.push(`error: ${e.message}`));
  page.on('request', r => { if (!/^(file|data):/.test(r.url())) faults.push(`request: ${r.url()}`); });
  await page.setViewport({ ...size, deviceScaleFactor: 1 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(pathToFileURL(path.resolve(file)).href);
  const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  if (scroll > client) faults.push(`the body is ${scroll} px wide in ${client}`);
  faults.push(...await page.evaluate(chartFaults));
  await page.evaluate(axe);
  const result = await page.evaluate(t => window.axe.run(document, { runOnly: { type: 'tag', values: t } }), tags);
  for (const v of result.violations)
    faults.push(`axe ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.target.join(' ')).join('; ')} (${v.nodes.length})`);
  await page.screenshot({ path: path.join(out, `${stem}.png`), fullPage: true });
  if (size.name === 'desk' && scheme === 'dark') await page.pdf({ path: path.join(out, `${path.basename(file, '.html')}.pdf`), printBackground: false });
  await page.close();
  console.log(`${stem}: ${faults.length ? faults.length + ' faults' : 'good'}, ${result.passes.length} axe rules pass`);
  for (const f of faults) console.log(`  ${f}`);
  return faults.length;
}

(async () => {
  const [out, ...files] = process.argv.slice(2);
  if (!files.length) { console.error('usage: look.js OUT PAGE.html...'); process.exit(2); }
  fs.mkdirSync(out, { recursive: true });
  const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
  let faults = 0;
  for (const file of files) for (const size of sizes) for (const scheme of ['light', 'dark']) faults += await look(browser, file, out, size, scheme);
  await browser.close();
  process.exit(faults ? 1 : 0);
})();
