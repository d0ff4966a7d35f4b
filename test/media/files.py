#!/usr/bin/python3
"""Makes media files whose verdict is known from how they were made: files.py FOLDER COUNT [SEED].

Of COUNT files one in ten is broken or lies about its type. FOLDER/manifest.jsonl has a line for each: path, file_name and
mime_type as an uploader would say them, kind, and either "facts" (of the prober, exactly; "duration" within "tolerance")
or "refused". Sizes, durations, orientations and metadata vary; no two files are the same.
"""
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

FOLDER, COUNT, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
rng = random.Random(SEED)
os.makedirs(FOLDER, exist_ok=True)
manifest = []
pool = ThreadPoolExecutor(2)

MIME = {
    'jpg': 'image/jpeg', 'png': 'image/png', 'gif': 'image/gif', 'webp': 'image/webp', 'avif': 'image/avif', 'heic': 'image/heic',
    'mp4': 'video/mp4', 'mov': 'video/quicktime', 'webm': 'video/webm', 'mkv': 'video/x-matroska', 'mp3': 'audio/mpeg',
    'm4a': 'audio/mp4', 'wav': 'audio/wav', 'flac': 'audio/flac', 'ogg': 'audio/ogg', 'pdf': 'application/pdf'}
PICTURES, VIDEOS, AUDIOS = ['jpg', 'png', 'gif', 'webp', 'avif', 'heic'], ['mp4', 'mov', 'webm', 'mkv'], ['mp3', 'm4a', 'wav', 'flac', 'ogg']
KINDS = PICTURES + VIDEOS + AUDIOS + ['pdf']


def place(name):
    return os.path.join(FOLDER, name)


def read(name):
    with open(place(name), 'rb') as file:
        return file.read()


def write(name, data):
    with open(place(name), 'wb') as file:
        file.write(data)


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise SystemExit(' '.join(command) + '\n' + done.stderr.decode(errors='replace'))


def good(kind, path, **facts):
    tolerance = facts.pop('tolerance', 0.15)
    mime = facts.pop('mime', MIME[kind])
    media = 'gif' if kind == 'gif' else 'pdf' if kind == 'pdf' else mime.split('/')[0]
    size = os.path.getsize(place(path))
    manifest.append({'path': path, 'kind': kind, 'file_name': path, 'mime_type': rng.choice([mime, mime, '', 'application/octet-stream']),
                     'facts': {'mime_type': mime, 'media_type': media, 'file_size': size, **facts}, 'tolerance': tolerance})


def bad(what, kind, path, data, refused, name=None, mime=None):
    write(path, data)
    manifest.append({'path': path, 'kind': kind, 'what': what, 'file_name': name or path, 'mime_type': mime or '', 'refused': refused})


def picture():
    width, height = rng.randint(16, 400), rng.randint(16, 400)
    image = Image.radial_gradient('L').resize((width, height)).convert('RGB')
    red, green, blue = image.split()
    return Image.merge('RGB', rng.sample([red.rotate(rng.randint(0, 359)), green, blue.point(lambda v: 255 - v)], 3))


def turned(image):
    """EXIF of a random orientation, and the facts it makes."""
    orientation = rng.randint(1, 8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010e] = 'picture %d' % rng.getrandbits(60)
    width, height = image.size if orientation < 5 else image.size[::-1]
    facts = {'width': width, 'height': height}
    if orientation != 1:
        facts['orientation'] = orientation
    return exif, facts


def make_still(kind, path):
    image = picture()
    exif, facts = turned(image)
    options = {'jpg': {'quality': rng.randint(30, 95), 'progressive': rng.random() < 0.3}, 'png': {}, 'webp': {'lossless': rng.random() < 0.2}}[kind]
    if kind != 'jpg' and rng.random() < 0.3:
        image.putalpha(Image.linear_gradient('L').resize(image.size))
    elif kind == 'jpg' and rng.random() < 0.2:
        image = image.convert('L')
    elif kind == 'png' and rng.random() < 0.2:
        image = image.quantize(64)
    image.save(place(path), exif=exif, **options)
    good(kind, path, codec={'jpg': 'jpeg'}.get(kind, kind), **facts)


def make_animation(kind, path):
    frames = rng.randint(2, 8)
    delay = rng.randint(3, 30) * 10
    image = picture().resize((rng.randint(16, 200), rng.randint(16, 200)))
    images = [image.rotate(7 * i + 1) for i in range(frames)]
    images[0].save(place(path), save_all=True, append_images=images[1:], duration=delay, loop=0)
    good(kind, path, width=image.size[0], height=image.size[1], frames=frames, duration=frames * delay / 1000, codec=kind, tolerance=0.011)


def heif_seeds(kind, count):
    seeds = []
    jobs = []
    for i in range(count):
        image = picture()
        # Odd sizes are cropped by the encoder's own rules.
        image = image.resize((image.size[0] // 16 * 16 or 16, image.size[1] // 16 * 16 or 16))
        image.save(place('seed.%s%d.png' % (kind, i)))
        target = place('seed%d.%s' % (i, kind))
        jobs.append(pool.submit(run, 'heif-enc', *(['-A'] if kind == 'avif' else []), '-o', target, place('seed.%s%d.png' % (kind, i))))
        seeds.append(('seed%d.%s' % (i, kind), image.size))
    for job in jobs:
        job.result()
    return seeds


def make_heif(kind, count):
    seeds = heif_seeds(kind, min(count, 6))
    for i in range(count):
        seed, (width, height) = seeds[i % len(seeds)]
        padding = rng.randbytes(rng.randint(0, 300))
        path = '%s%d.%s' % (kind, i, kind)
        write(path, read(seed) + struct.pack('>I', 8 + len(padding)) + b'free' + padding)
        good(kind, path, width=width, height=height, codec={'heic': 'hevc', 'avif': 'av1'}[kind])


VIDEO_CODECS = {
    'mp4': [(['libx264', '-bf', '0', '-pix_fmt', 'yuv420p'], 'h264', ['aac'], 'aac'), (['mpeg4'], 'mpeg4', ['libmp3lame'], 'mp3')],
    'mov': [(['libx264', '-bf', '2', '-pix_fmt', 'yuv420p'], 'h264', ['aac'], 'aac'), (['mjpeg', '-pix_fmt', 'yuvj420p'], 'mjpeg', ['pcm_s16le'], 'pcm_s16le')],
    'webm': [(['libvpx', '-deadline', 'realtime'], 'vp8', ['libvorbis'], 'vorbis'), (['libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'], 'vp9', ['libopus'], 'opus')],
    'mkv': [(['libx264', '-bf', '0', '-pix_fmt', 'yuv420p'], 'h264', ['flac'], 'flac'), (['libvpx', '-deadline', 'realtime'], 'vp8', ['libopus'], 'opus')]}


def make_videos(kind, count):
    """A few seeds are encoded; of each, one run of ffmpeg cuts many files of different length and metadata."""
    seeds = min(4, max(1, count // 4))
    paths = ['%s%d.%s' % (kind, i, kind) for i in range(count)]
    jobs = []
    for i in range(seeds):
        video, codec, audio, audio_codec = VIDEO_CODECS[kind][i % 2]
        width, height, rate = rng.randrange(64, 320, 2), rng.randrange(64, 320, 2), rng.choice([10, 25, 30])
        with_audio = i != 3
        seed = place('seed_%s%d.%s' % (kind, i, kind))
        outputs = []
        for path in paths[i::seeds]:
            seconds = rng.randint(5, 35) / 10
            turn = rng.choice([0, 90, 180, 270]) if kind in ('mp4', 'mov') else 0
            outputs += ['-map', '0', '-c', 'copy', '-t', str(seconds), '-metadata', 'title=%d' % rng.getrandbits(60)]
            outputs += ['-metadata:s:v:0', 'rotate=%d' % turn] if turn else []
            outputs += ['-movflags', rng.choice(['faststart', '+frag_keyframe+empty_moov'])] if kind == 'mp4' and codec == 'h264' else []
            outputs.append(place(path))
            wide, high = (height, width) if turn in (90, 270) else (width, height)
            facts = {'width': wide, 'height': high, 'codec': codec, 'duration': seconds}
            # Packets of audio and of frames are not cut: up to a frame and a packet more, and where frames are reordered
            # three more of them; which of those are lost at the cut nobody tells.
            facts['tolerance'] = 0.06 + (4 if '2' in video else 1) / rate + (0 if '2' in video else 0.1)
            if '2' not in video:
                facts['frame_rate'] = rate
            if turn:
                facts['orientation'] = {90: 8, 180: 3, 270: 6}[turn]  # ffmpeg turns against the clock
            if with_audio:
                facts['audio_codec'] = audio_codec
            jobs.append((path, facts))
        make = ['ffmpeg', '-v', 'error', '-y', '-threads', '1', '-f', 'lavfi', '-i', 'testsrc=size=%dx%d:rate=%d:duration=4' % (width, height, rate)]
        if with_audio:
            make += ['-f', 'lavfi', '-i', 'sine=frequency=%d:duration=4' % rng.randint(200, 2000), '-c:a', *audio]
        make += ['-threads', '1', '-g', '5', '-c:v', *video, seed]
        jobs.append(pool.submit(lambda make=make, seed=seed, outputs=outputs: (run(*make), run('ffmpeg', '-v', 'error', '-y', '-i', seed, *outputs))))
    for job in jobs:
        if not isinstance(job, tuple):
            job.result()
    for job in jobs:
        if isinstance(job, tuple):
            good(kind, job[0], **job[1])


AUDIO_CODECS = {'mp3': (['libmp3lame'], 'mp3'), 'm4a': (['aac'], 'aac'), 'wav': (['pcm_s16le'], 'pcm_s16le'), 'flac': (['flac'], 'flac'), 'ogg': (['libvorbis'], 'vorbis')}


def make_audios(kind, count):
    codec, name = AUDIO_CODECS[kind]
    outputs, made = [], []
    for i in range(count):
        seconds, channels, rate = rng.randint(3, 40) / 10, rng.choice([1, 2]), rng.choice([22050, 44100, 48000])
        path = '%s%d.%s' % (kind, i, kind)
        outputs += ['-t', str(seconds), '-c:a', *codec, '-ac', str(channels), '-ar', str(rate), '-metadata', 'title=%d' % rng.getrandbits(60), place(path)]
        made.append((path, {'duration': seconds, 'audio_codec': name, 'channels': channels, 'sample_rate': rate}))
    if made:
        run('ffmpeg', '-v', 'error', '-y', '-f', 'lavfi', '-i', 'sine=frequency=330:duration=5', *outputs)
    for path, facts in made:
        good(kind, path, **facts)


def pdf(pages, extra=b'', comment=b''):
    objects = [b'<< /Type /Catalog /Pages 2 0 R ' + extra + b' >>',
               b'<< /Type /Pages /Count %d /Kids [%s] >>' % (pages, b' '.join(b'%d 0 R' % (i + 3) for i in range(pages)))]
    objects += [b'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] >>' % (rng.randint(100, 900), rng.randint(100, 900)) for _ in range(pages)]
    data, offsets = b'%PDF-1.5\n%\xe2\xe3\xcf\xd3\n' + comment, []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b'%d 0 obj\n%s\nendobj\n' % (number, body)
    start = len(data)
    data += b'xref\n0 %d\n0000000000 65535 f \n' % (len(objects) + 1) + b''.join(b'%010d 00000 n \n' % at for at in offsets)
    return data + b'trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n' % (len(objects) + 1, start)


def png(width, height, pixels):
    def chunk(name, body):
        return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) + chunk(b'IDAT', pixels) + chunk(b'IEND', b'')


def gif_bomb(frames, side):
    frame = b'\x21\xf9\x04\x00\x0a\x00\x00\x00' + b'\x2c\x00\x00\x00\x00' + struct.pack('<HH', side, side) + b'\x00\x02\x02\x4c\x01\x00'
    return b'GIF89a' + struct.pack('<HH', side, side) + b'\x80\x00\x00' + b'\x00\x00\x00\xff\xff\xff' + frame * frames + b';'


def first(kind):
    path = next(entry['path'] for entry in manifest if entry['kind'] == kind and 'facts' in entry)
    return read(path)


def some(kind):
    return read(rng.choice([entry['path'] for entry in manifest if entry['kind'] == kind and 'facts' in entry]))


def jpeg_of_size(width, height):
    data = bytearray(first('jpg'))
    at = 2
    while not (0xc0 <= data[at + 1] <= 0xc2):
        at += 2 + struct.unpack('>H', data[at + 2:at + 4])[0]
    data[at + 5:at + 9] = struct.pack('>HH', height, width)
    return bytes(data)


def huge_video():
    """The sample description says 30000 x 30000."""
    data = bytearray(first('mov'))
    at = max(data.find(b'avc1'), data.find(b'jpeg', data.find(b'stsd')))
    data[at + 28:at + 32] = struct.pack('>HH', 30000, 30000)
    return bytes(data)


def strange_codec():
    run('ffmpeg', '-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=10:duration=1', '-c:v', 'ffv1', place('seed_ffv1.mkv'))
    return read('seed_ffv1.mkv')


def without_index(data):
    """The boxes of an MP4 without moov, as a recorder leaves it that was switched off."""
    kept, at = b'', 0
    while at < len(data):
        size = struct.unpack('>I', data[at:at + 4])[0]
        if data[at + 4:at + 8] != b'moov':
            kept += data[at:at + size]
        at += size
    return kept


def cut_short(kind, data):
    """Without its end, and within what it must have: behind the picture of a HEIF stands padding that nobody misses."""
    most = min(len(data) * 9 // 10, len(data) - 309) if kind in ('heic', 'avif') else len(data) * 9 // 10
    return data[:rng.randint(min(len(data) * 6 // 10, most), most)]


def broken(number):
    """One of the ways to be no good; the same again are made of other files."""
    tag = 'bad%d' % number
    html = b'<!DOCTYPE html><html><head><script>alert(%d)</script></head><body>x</body></html>' % number
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(%d)</script></svg>' % number
    end_of_zip = b'PK\x03\x04' + b'\0' * 26 + b'PK\x05\x06' + b'\0' * 18
    cut = [kind for kind in KINDS]
    ways = [lambda kind=kind: bad('cut off', kind, tag + '.' + kind, cut_short(kind, some(kind)), 'media.corrupt') for kind in cut]
    ways += [
        lambda: bad('PNG named .jpg', 'png', tag, some('png'), 'media.type_mismatch', name=tag + '.jpg'),
        lambda: bad('MP3 declared as video', 'mp3', tag, some('mp3'), 'media.type_mismatch', name=tag, mime='video/mp4'),
        lambda: bad('page named .png', 'html', tag, html, 'media.type_mismatch', name=tag + '.png', mime='image/png'),
        lambda: bad('page', 'html', tag, html, 'media.unsupported_type', name=tag + '.html', mime='text/html'),
        lambda: bad('SVG with script', 'svg', tag, svg, 'media.unsupported_type', name=tag + '.svg', mime='image/svg+xml'),
        lambda: bad('SVG named .gif', 'svg', tag, svg, 'media.type_mismatch', name=tag + '.gif'),
        lambda: bad('JPEG named .exe', 'jpg', tag, some('jpg'), 'media.type_mismatch', name=tag + '.exe'),
        lambda: bad('program named .mp4', 'exe', tag, read_program(number), 'media.type_mismatch', name=tag + '.mp4'),
        lambda: bad('noise', 'noise', tag, b'\x93\xf1\xa7\x04' + rng.randbytes(3000), 'media.unsupported_type', name=tag + '.mp4'),
        lambda: bad('zeros', 'noise', tag, b'\0' * rng.randint(1, 9999), 'media.unsupported_type', name=tag + '.jpg'),
        lambda: bad('playlist named .mp4', 'text', tag, b'#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nfile:///etc/passwd?%d\n' % number, 'media.type_mismatch', name=tag + '.mp4'),
        lambda: bad('list of files named .mkv', 'text', tag, b"ffconcat version 1.0\nfile '/etc/passwd'\n#%d\n" % number, 'media.type_mismatch', name=tag + '.mkv'),
        lambda: bad('PNG bomb', 'png', tag + '.png', png(60000 + number, 60000, zlib.compress(b'\0' * 1000000)), 'media.too_many_pixels'),
        lambda: bad('JPEG bomb', 'jpg', tag + '.jpg', jpeg_of_size(65000, 64000 + number), 'media.too_many_pixels'),
        lambda: bad('GIF of many large frames', 'gif', tag + '.gif', gif_bomb(1500, 2000 + number), 'media.too_many_pixels'),
        lambda: bad('GIF of too many frames', 'gif', tag + '.gif', gif_bomb(5000 + number, 8), 'media.too_long'),
        lambda: bad('PNG with fewer pixels than it says', 'png', tag + '.png', png(1000, 1000 + number, zlib.compress(b'\0' * 3000)), 'media.corrupt'),
        lambda: bad('PNG with a wrong sum', 'png', tag + '.png', (lambda d: d[:-20] + bytes([d[-20] ^ 1]) + d[-19:])(some('png')), 'media.corrupt'),
        lambda: bad('huge video', 'mov', tag + '.mov', huge_video() + struct.pack('>I', 12) + b'free' + struct.pack('>I', number), 'media.too_many_pixels'),
        lambda: bad('MP4 without index', 'mp4', tag + '.mp4', without_index(some('mp4')), 'media.corrupt'),
        lambda: bad('codec that is not accepted', 'mkv', tag + '.mkv', strange_codec(), 'media.unsupported_type'),
        lambda: bad('JPEG and page', 'jpg', tag + '.jpg', some('jpg') + html, 'media.type_mismatch'),
        lambda: bad('GIF and archive', 'gif', tag + '.gif', some('gif') + end_of_zip, 'media.type_mismatch'),
        lambda: bad('PDF with script', 'pdf', tag + '.pdf', pdf(1, b'/OpenAction << /S /JavaScript /JS (app.alert\\(%d\\)) >>' % number), 'media.unsupported_type'),
    ]
    ways[number % len(ways)]()


def read_program(number):
    return b'MZ' + b'\0' * 58 + struct.pack('<I', 64) + b'PE\0\0' + struct.pack('<HH', 0x8664, 1) + b'\0' * 200 + b'%d' % number


def main():
    bads = COUNT // 10
    goods = COUNT - bads
    for index, kind in enumerate(KINDS):
        count = goods // len(KINDS) + (index < goods % len(KINDS))
        if kind in ('jpg', 'png', 'webp', 'gif'):
            for i in range(count):
                path = '%s%d.%s' % (kind, i, kind)
                animated = kind == 'gif' or (kind != 'jpg' and i % 5 == 4)
                (make_animation if animated else make_still)(kind, path)
        elif kind in ('heic', 'avif'):
            make_heif(kind, count)
        elif kind in VIDEOS:
            make_videos(kind, count)
        elif kind in AUDIOS:
            make_audios(kind, count)
        else:
            for i in range(count):
                pages = rng.randint(1, 9)
                write('pdf%d.pdf' % i, pdf(pages, comment=b'%% %d\n' % rng.getrandbits(60)))
                good('pdf', 'pdf%d.pdf' % i, pages=pages)
    for number in range(bads):
        broken(number * 7 % 40 if bads <= 40 else number)
    with open(place('manifest.jsonl'), 'w', encoding='ascii') as file:
        for entry in manifest:
            file.write(json.dumps(entry) + '\n')
    for name in os.listdir(FOLDER):
        if name.startswith('seed'):
            os.unlink(place(name))


main()
