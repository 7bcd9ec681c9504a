// The program of `ci/check-site`: node ci/check-site.js SITE SCREENSHOTS

const fs = require('fs');
const http = require('http');
const path = require('path');
const puppeteer = require('puppeteer-core');

const [site, screenshots] = process.argv.slice(2);
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const WIDTHS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };

// One page of each kind. Each of them gets a screenshot.
const KINDS = {
    introduction: 'index.html',
    chapter: 'from-std.html',
    code: 'supervisors.html',
    tables: 'benchmarks.html',
    diagram: 'architecture.html',
    messages: 'errors.html',
    command: 'command.html',
    crate: 'api/forkexec/index.html',
    struct: 'api/forkexec/struct.CommandBuilder.html',
    enum: 'api/forkexec/enum.Error.html',
    trait: 'api/forkexec_core/trait.Sys.html',
    function: 'api/forkexec/fn.wait_any.html',
    module: 'api/forkexec/fds/index.html',
    items: 'api/forkexec/all.html',
    source: 'api/src/forkexec/command.rs.html',
};

const complaints = [];
const complain = (page, what) => complaints.push(`${page}: ${what}`);

function files(folder) {
    return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const name = path.join(folder, entry.name);
        return entry.isDirectory() ? files(name) : [name];
    });
}

const unescaped = (text) => text.replace(/&quot;/g, '"').replace(/&#x27;|&#39;/g, "'").replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

// The page to which rustdoc sends a reader from this one, with the place.
function redirected(file) {
    const to = fs.readFileSync(file, 'utf8').match(/<meta http-equiv="refresh" content="0;\s*URL=([^"]*)"/i);
    return to ? path.resolve(path.dirname(file), to[1]) : file;
}

const anchors = new Map();
function anchorsOf(file) {
    if (!anchors.has(file)) {
        const text = fs.readFileSync(file, 'utf8');
        anchors.set(file, new Set([...text.matchAll(/\s(?:id|name)=(?:"([^"]*)"|([^\s>"]+))/g)].map((it) => unescaped(it[1] ?? it[2]))));
    }
    return anchors.get(file);
}

// Returns what is wrong with a link of a page, or nothing. Links to other sites are not followed.
function wrongWith(link, page) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined;
    const [address, fragment] = link.split('#');
    const [name] = address.split('?');
    let file = name === '' ? page : path.resolve(path.dirname(page), decodeURIComponent(name));
    if (fs.existsSync(file) && fs.statSync(file).isDirectory()) file = path.join(file, 'index.html');
    if (!file.startsWith(site + path.sep)) return 'leads out of the site';
    if (!fs.existsSync(file)) return 'leads to no file';
    if (!fragment || !file.endsWith('.html')) return undefined;
    file = redirected(file);
    // Lines of sources, which a script marks.
    if (file.includes(`${path.sep}api${path.sep}src${path.sep}`)) return undefined;
    // rustdoc escapes the names of its places, too.
    return anchorsOf(file).has(fragment) || anchorsOf(file).has(decodeURIComponent(fragment)) ? undefined : 'leads to no such place in its page';
}

function checkFiles() {
    let count = 0;
    const pages = files(site).filter((file) => file.endsWith('.html'));
    for (const page of pages) {
        const text = fs.readFileSync(page, 'utf8').replace(/<script\b.*?<\/script>/gs, '');
        for (const [, quoted, bare] of text.matchAll(/\s(?:href|src)=(?:"([^"]*)"|([^\s>"]+))/g)) {
            count += 1;
            const link = unescaped(quoted ?? bare);
            const wrong = wrongWith(link, page);
            if (wrong) complain(path.relative(site, page), `${link} ${wrong}`);
        }
    }
    console.log(`files: ${count} links in ${pages.length} pages`);
}

function serve() {
    const server = http.createServer((request, response) => {
        const name = decodeURIComponent(new URL(request.url, 'http://site').pathname);
        const file = path.join(site, name.endsWith('/') ? `${name}index.html` : name);
        if (!fs.existsSync(file)) {
            response.writeHead(404).end();
            return;
        }
        response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream' }).end(fs.readFileSync(file));
    });
    return new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(server)));
}

// What is wider than the window and cannot be scrolled in a box of its own.
function tooWide() {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.body.querySelectorAll('*')].filter((it) => it.getBoundingClientRect().right > width + 1);
    return wide.slice(0, 3).map((it) => `${it.tagName.toLowerCase()}.${it.className} ends at ${Math.round(it.getBoundingClientRect().right)} px`);
}

async function open(browser, origin, name, size, scheme) {
    const page = await browser.newPage();
    await page.setViewport(WIDTHS[size]);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    page.on('console', (message) => {
        if (message.type() === 'error') complain(name, `the browser logs: ${message.text()}`);
    });
    page.on('pageerror', (error) => complain(name, `a script fails: ${error.message}`));
    page.on('request', (request) => {
        if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) complain(name, `it loads ${request.url()}`);
    });
    await page.goto(`${origin}/${name}`, { waitUntil: 'load' });
    return page;
}

async function checkInBrowser(browser, origin) {
    const book = fs.readdirSync(site).filter((name) => name.endsWith('.html') && !['toc.html', '404.html'].includes(name));
    const names = new Set([...book, ...Object.values(KINDS)]);
    let links = 0;
    for (const name of names) {
        for (const size of Object.keys(WIDTHS)) {
            const page = await open(browser, origin, name, size, 'light');
            for (const wide of await page.evaluate(tooWide)) complain(name, `on a ${size}: ${wide}`);
            // Links within a page may lead to places that a script added.
            const dead = await page.$$eval('a[href^="#"]', (all) => all.map((it) => it.getAttribute('href')).filter((it) => {
                const place = it.slice(1);
                return place !== '' && !document.getElementById(place) && !document.getElementById(decodeURIComponent(place));
            }));
            for (const link of dead) complain(name, `${link} leads to no such place`);
            const added = await page.$$eval('a[href]:not([href^="#"])', (all) => all.map((it) => it.href));
            for (const link of added.filter((it) => it.startsWith(origin))) {
                links += 1;
                const wrong = wrongWith(path.join(site, link.slice(origin.length + 1)), path.join(site, name));
                if (wrong) complain(name, `${link.slice(origin.length)} ${wrong}`);
            }
            await page.close();
        }
    }
    console.log(`browser: ${links} links in ${names.size} pages, each at the width of a phone and of a desktop`);
}

async function search(browser, origin, name, word, expected) {
    const page = await open(browser, origin, name, 'desktop', 'light');
    try {
        await page.waitForFunction((it) => document.body.innerText.includes(it), { timeout: 20000 }, expected);
    } catch {
        complain(name, `the search for ${word} does not find ${expected}`);
    }
    await page.screenshot({ path: path.join(screenshots, `search-${name.startsWith('api') ? 'items' : 'book'}.png`) });
    await page.close();
}

async function photograph(browser, origin) {
    for (const [kind, name] of Object.entries(KINDS)) {
        for (const size of Object.keys(WIDTHS)) {
            for (const scheme of ['light', 'dark']) {
                const page = await open(browser, origin, name, size, scheme);
                await page.screenshot({ path: path.join(screenshots, `${kind}-${size}-${scheme}.png`) });
                await page.close();
            }
        }
    }
    console.log(`screenshots: ${fs.readdirSync(screenshots).length} in ${screenshots}`);
}

async function main() {
    fs.rmSync(screenshots, { recursive: true, force: true });
    fs.mkdirSync(screenshots, { recursive: true });
    checkFiles();
    const server = await serve();
    const origin = `http://127.0.0.1:${server.address().port}`;
    const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
    await checkInBrowser(browser, origin);
    await search(browser, origin, 'index.html?search=jobserver', 'jobserver', 'Build tools');
    await search(browser, origin, 'api/forkexec/index.html?search=keep_fd', 'keep_fd', 'CommandBuilder::keep_fd');
    await photograph(browser, origin);
    await browser.close();
    server.close();
    const different = [...new Set(complaints)];
    console.error(different.join('\n'));
    console.log(`site: ${different.length} complaints`);
    process.exit(different.length === 0 ? 0 : 1);
}

main();
