// The peer of x.py: twitter-text. A JSON string a line in, what it finds in it a line out.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const twitter = createRequire(process.cwd() + '/')('twitter-text');
const kindOf = entity => entity.hashtag !== undefined ? ['hashtag', entity.hashtag] : entity.cashtag !== undefined ? ['cashtag', entity.cashtag] :
  entity.url !== undefined ? ['url', entity.url] : entity.listSlug ? ['list', entity.screenName + entity.listSlug] : ['mention', entity.screenName];

for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const text = JSON.parse(line);
  const {weightedLength, valid, permillage, validRangeEnd} = twitter.parseTweet(text);
  const entities = twitter.extractEntitiesWithIndices(text).map(entity => [...kindOf(entity), ...entity.indices]);
  console.log(JSON.stringify([weightedLength, valid, permillage, validRangeEnd, entities]));
}
