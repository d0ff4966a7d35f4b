// A peer of the benchmark: posts per CPU second of npm's twitter-text on a file of posts, one in each line.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const load = createRequire(process.cwd() + '/');
const twitter = load('twitter-text');
const posts = readFileSync(process.argv[2], 'utf8').trim().split('\n');
const functions = {
  parseTweet: (post) => twitter.parseTweet(post).weightedLength,
  extractEntitiesWithIndices: (post) => twitter.extractEntitiesWithIndices(post).length,
};

for (const [name, run] of Object.entries(functions)) {
  const rates = [];
  let sum = 0;
  for (let round = 0; round < 6; ++round) {
    const start = process.cpuUsage();
    let count = 0, used = 0;
    do {
      for (const post of posts) sum += run(post);
      count += posts.length;
      const {user, system} = process.cpuUsage(start);
      used = user + system;
    } while (used < 300000);
    if (round > 0) rates.push(count / used * 1e6);  // the first round warms the compiler up
  }
  rates.sort((a, b) => a - b);
  console.log(name, rates[2].toFixed(0), sum > 0);
}
