// A worker that spawns with child_process: the protocol of `worker.rs`.
'use strict';
const { spawn: start } = require('node:child_process');
const readline = require('node:readline');

const NOBODY = 65534;
const SOURCE = 4;
const GIB = 1 << 30;

let program = ['/bin/true'];
let kept = [];
const memory = [];

class Unable extends Error {}

function options(task) {
  const inherit = [0, 1, 2];
  switch (task) {
    case 'plain': return { stdio: inherit };
    case 'captured': return { stdio: [0, 'pipe', 2] };
    case 'mapped': return { stdio: [...inherit, ...kept] };
    case 'full': return { stdio: [...inherit, SOURCE], uid: NOBODY, gid: NOBODY, cwd: '/', detached: true };
    default: throw new Unable('its list of descriptors counts from 0');
  }
}

function spawn(task) {
  return new Promise((resolve, reject) => {
    const child = start(program[0], program.slice(1), options(task));
    if (child.stdout) child.stdout.resume();
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`the child ended with ${code}`))));
  });
}

async function run(task, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const begin = process.hrtime.bigint();
    await spawn(task);
    times.push(process.hrtime.bigint() - begin);
  }
  return `ok ${times.join(' ')}`;
}

// Node has one thread, so this many spawns run at once.
async function together(task, threads, count) {
  const many = async () => {
    for (let i = 0; i < count; i++) await spawn(task);
  };
  const begin = process.hrtime.bigint();
  await Promise.all(Array.from({ length: threads }, many));
  return `ok ${process.hrtime.bigint() - begin}`;
}

async function answer(words) {
  switch (words[0]) {
    case 'program': program = words.slice(1); return 'ok';
    case 'keep': kept = words.slice(1).map(Number); return 'ok';
    case 'memory':
      for (let left = Number(words[1]); left > 0; left -= GIB) memory.push(Buffer.alloc(Math.min(left, GIB), 1));
      return 'ok';
    case 'run': return run(words[2], Number(words[3]));
    case 'together': return together(words[2], Number(words[3]), Number(words[4]));
    default: return 'error not understood';
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let said;
    try {
      said = await answer(line.split(' '));
    } catch (reason) {
      said = reason instanceof Unable ? `no ${reason.message}` : `error ${reason.message}`;
    }
    process.stdout.write(`${said}\n`);
  }
})();
