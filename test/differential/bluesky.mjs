// The peer of bluesky.py: RichText of @atproto/api. A JSON string a line in; length in graphemes and facets a line out.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const {RichText} = createRequire(process.cwd() + '/')('@atproto/api');
const kinds = {mention: ['mention', 'did'], link: ['link', 'uri'], tag: ['tag', 'tag']};

for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const post = new RichText({text: JSON.parse(line)});
  post.detectFacetsWithoutResolution();
  const facets = (post.facets ?? []).map(({index, features: [feature]}) => {
    const [kind, value] = kinds[feature.$type.split('#')[1]];
    return [index.byteStart, index.byteEnd, kind, feature[value]];
  });
  console.log(JSON.stringify([post.graphemeLength, facets]));
}
