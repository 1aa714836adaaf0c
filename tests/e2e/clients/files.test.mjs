// Uploads and downloads.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, browserFile, during, enter, file, form, rest, say } from './harness.mjs';
import { failure, fileUrl, hears, like, message, time, uuid } from './shapes.mjs';

const upload = (fields) => rest.post('/api/upload', form(fields));
const download = (url, headers = {}) => rest.get(url, { responseType: 'arraybuffer', headers });
const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

async function chatting(t) {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  const author = await answered(200, rest.get(`/api/users/${juan.userId}`));
  await enter(chat, juan, maria);
  return { world, juan, maria, chat, author, from: { conversationId: chat.id, senderId: juan.userId } };
}

describe('files', { concurrency: 4 }, () => { // each test has people and conversations of its own
  for (const [name, fileType, messageType] of [
    ['foto.jpg', 'image/jpeg', 'file'], ['foto.png', 'image/png', 'file'], ['foto.gif', 'image/gif', 'file'],
    ['foto.webp', 'image/webp', 'file'], ['informe.pdf', 'application/pdf', 'file'], ['carta.docx', DOCX, 'file'],
    ['notas.txt', 'text/plain', 'file'], ['voz.mp3', 'audio/mpeg', 'audio'], ['voz.wav', 'audio/wav', 'audio'],
    ['voz.ogg', 'audio/ogg', 'audio'], ['voz.m4a', 'audio/mp4', 'audio'], ['voz.webm', 'audio/webm', 'audio'],
  ]) {
    test(`${name} becomes a message of type ${messageType} and is served as ${fileType}`, async (t) => {
      const { juan, maria, chat, author, from } = await chatting(t);
      const fileSize = file(name).length;
      const thumbnailUrl = fileType.startsWith('image/') ? fileUrl : null;
      const body = await during([juan, maria], () => answered(201, upload({ file: browserFile(name), ...from })));
      like(body, {
        fileUrl, fileName: name, fileSize, fileType, thumbnailUrl, messageId: uuid, ...from, timestamp: time, isReply: false, replyTo: null,
      });
      const content = (json) => {
        like(JSON.parse(json), { fileUrl: body.fileUrl, fileName: name, fileSize, fileType });
        return true;
      };
      const expected = message(author, {
        id: body.messageId, conversationId: chat.id, recipientId: maria.userId, seq: 1, content, messageType, fileUrl: body.fileUrl,
        fileName: name, fileSize, fileType, thumbnailUrl: body.thumbnailUrl, timestamp: body.timestamp, createdAt: body.timestamp,
      });
      for (const client of [juan, maria]) hears(client, ['message_received', expected]);
      const served = await download(body.fileUrl);
      assert.equal(served.status, 200);
      assert.equal(served.headers['content-type'].split(';')[0], fileType);
      assert.deepEqual(Buffer.from(served.data), file(name));
      if (body.thumbnailUrl) {
        const small = await download(body.thumbnailUrl);
        assert.equal(small.status, 200);
        assert.match(small.headers['content-type'], /^image\//);
      }
    });
  }

  test('a signed URL serves the bytes to what can send no token', async (t) => {
    const { from } = await chatting(t);
    const { fileUrl: url } = await answered(201, upload({ file: browserFile('foto.png'), ...from }));
    const { links } = await answered(200, rest.post('/api/files/links', { urls: [url, '/api/files/missing.png'] }));
    like(links, [
      { url, signedUrl: (signed) => signed.startsWith(`${url}?ex=`), expiresAt: time, code: null },
      { url: '/api/files/missing.png', signedUrl: null, expiresAt: null, code: 'file_not_found' },
    ]);
    const served = await download(links[0].signedUrl);
    assert.deepEqual(Buffer.from(served.data), file('foto.png'));
    const forged = await rest.get(`${links[0].signedUrl}x`);
    assert.deepEqual([forged.status, forged.data.code], [403, 'link_invalid']);
    await answered(400, rest.post('/api/files/links', { urls: [] }));
  });

  test("a browser's voice note, WebM bytes named audio.wav, is described by its true type", async (t) => {
    const { maria, from } = await chatting(t);
    const body = await answered(201, upload({ file: browserFile('voz.webm', { as: 'audio.wav', type: 'audio/wav' }), ...from }));
    assert.deepEqual([body.fileName, body.fileType], ['audio.wav', 'audio/webm']);
    const heard = await maria.next('message_received');
    assert.deepEqual([heard.messageType, heard.fileType, JSON.parse(heard.content).fileType], ['audio', 'audio/webm', 'audio/webm']);
    const served = await download(body.fileUrl);
    assert.equal(served.headers['content-type'], 'audio/webm');
    assert.match(body.fileUrl, /\.webm$/);
  });

  test('file messages are shown by their name, never by their JSON', async (t) => {
    const { juan, maria, chat, from } = await chatting(t);
    await maria.done('leave_room', { conversationId: chat.id, userId: maria.userId });
    const photo = await during([juan, maria], () => answered(201, upload({ file: browserFile('foto.png'), ...from })));
    const [[name, notice]] = maria.heard().filter(([each]) => each !== 'user_left');
    assert.deepEqual([name, notice.messagePreview, notice.messageId], ['unread_message_private', 'Archivo: foto.png', photo.messageId]);
    const voice = await during([juan, maria], () => answered(201, upload({ file: browserFile('voz.ogg'), ...from })));
    assert.equal(maria.heard('unread_message_private')[0][1].messagePreview, 'Audio: voz.ogg');
    assert.equal((await say(maria, chat, 'bonita', { replyTo: photo.messageId })).replyPreview, 'Archivo: foto.png');
    assert.equal((await say(maria, chat, 'te oigo', { replyTo: voice.messageId })).replyPreview, 'Audio: voz.ogg');
    await answered(201, upload({ file: browserFile('informe.pdf'), ...from }));
    const [listed] = (await answered(200, rest.get(`/api/conversations/user/${maria.userId}`))).conversations;
    assert.equal(listed.lastMessage, 'Archivo: informe.pdf');
  });

  test('content is the caption, and clientMessageId makes a repeated upload one message', async (t) => {
    const { juan, maria, chat, from } = await chatting(t);
    const fields = () => ({ file: browserFile('foto.png'), ...from, content: 'Mira', clientMessageId: 'u1' });
    const first = await answered(201, upload(fields()));
    const again = await during([juan, maria], () => answered(201, upload(fields())));
    assert.deepEqual(again, first);
    hears(maria);
    const [stored] = await answered(200, rest.get(`/api/messages/${chat.id}`));
    assert.deepEqual([stored.content, stored.clientMessageId, stored.fileUrl], ['Mira', 'u1', first.fileUrl]);
    like(await answered(422, upload({ ...fields(), content: 'Otra' })), failure(422, 'idempotency_key_reused'));
    assert.equal((await answered(200, rest.get(`/api/messages/${chat.id}`))).length, 1);
    assert.equal((await download(first.fileUrl)).status, 200);
  });

  test('an upload with replyTo arrives as reply_received', async (t) => {
    const { juan, maria, chat, author, from } = await chatting(t);
    const original = await say(maria, chat, '¿Tienes la foto?');
    const body = await during([juan, maria], () => answered(201, upload({ file: browserFile('foto.gif'), ...from, replyTo: original.id })));
    assert.deepEqual([body.isReply, body.replyTo], [true, original.id]);
    hears(maria, ['reply_received', message(author, {
      id: body.messageId, conversationId: chat.id, recipientId: maria.userId, seq: 2, messageType: 'file', fileUrl: body.fileUrl,
      fileName: 'foto.gif', fileSize: body.fileSize, fileType: 'image/gif', thumbnailUrl: body.thumbnailUrl,
      isReply: true, replyTo: original.id, replyPreview: '¿Tienes la foto?',
    })]);
    like(await answered(400, upload({ file: browserFile('foto.gif'), ...from, replyTo: 'nowhere' })), failure(400, 'reply_target_missing'));
  });

  test('a file over the limit is refused with 413 and the ruled body, and leaves nothing', async (t) => {
    const { juan, maria, chat, from } = await chatting(t);
    const refused = await during([juan, maria], () => answered(413, upload({ file: browserFile('grande.txt'), ...from })));
    like(refused, failure(413, 'too_large', { maxBytes: 1048576 }));
    hears(maria);
    const stored = await answered(413, upload({ file: browserFile('grande.txt') }));
    like(stored, failure(413, 'too_large', { maxBytes: 1048576 }));
    assert.deepEqual(await answered(200, rest.get(`/api/messages/${chat.id}`)), []);
    const huge = new File([Buffer.alloc(12 * 1024 * 1024)], 'enorme.txt');
    like(await answered(413, upload({ file: huge, ...from })), failure(413, 'too_large'));
  });

  test('a type that is not allowed is refused by its bytes with 415, whatever it is called', async (t) => {
    const { juan, maria, from } = await chatting(t);
    await during([juan, maria], async () => {
      for (const name of ['pagina.html', 'programa.exe']) {
        const disguised = browserFile(name, { as: 'foto.png', type: 'image/png' });
        const body = await answered(415, upload({ file: disguised, ...from }));
        like(body, failure(415, 'file_type_not_allowed', { fileType: (type) => type !== 'image/png', allowedTypes: Array.isArray }));
      }
    });
    hears(maria);
  });

  test('what is no upload is refused', async (t) => {
    const { world, juan, from, chat } = await chatting(t);
    const wrong = async (fields, name) => like(await answered(400, upload(fields)), failure(400, 'invalid_data', { fields: { [name]: Array.isArray } }));
    await wrong({ ...from }, 'file');
    await wrong({ file: browserFile('vacio.txt'), ...from }, 'file');
    await wrong({ file: browserFile('foto.png'), conversationId: chat.id }, 'senderId');
    await wrong({ file: browserFile('foto.png'), senderId: juan.userId }, 'conversationId');
    await wrong({ file: browserFile('foto.png'), ...from, album: 'x' }, 'album');
    const eve = await world.user('Eve');
    like(await answered(403, upload({ file: browserFile('foto.png'), ...from, senderId: eve.id })), failure(403, 'not_a_participant'));
    like(await answered(404, upload({ file: browserFile('foto.png'), ...from, conversationId: 'nowhere' })), failure(404, 'conversation_not_found'));
  });

  test('a stored file sent with send_message is described by what it really is', async (t) => {
    const { juan, maria, chat, author } = await chatting(t);
    const stored = await answered(201, upload({ file: browserFile('foto.jpg') }));
    const claimed = { messageType: 'file', fileUrl: stored.fileUrl, fileName: 'otra.jpg', fileSize: 1, fileType: 'text/html' };
    const sent = await during([juan, maria], () => say(juan, chat, '', claimed));
    like(sent, message(author, {
      conversationId: chat.id, recipientId: maria.userId, seq: 1, content: '', messageType: 'file', fileUrl: stored.fileUrl,
      fileName: 'otra.jpg', fileSize: stored.fileSize, fileType: 'image/jpeg', thumbnailUrl: stored.thumbnailUrl,
    }));
    hears(maria, ['message_received', sent]);
  });

  test('a deleted message takes its file and thumbnail with it', async (t) => {
    const { juan, maria, from } = await chatting(t);
    const body = await answered(201, upload({ file: browserFile('foto.jpg'), ...from }));
    await juan.done('delete_message', { messageId: body.messageId, userId: juan.userId });
    await maria.next('message_deleted');
    for (const url of [body.fileUrl, body.thumbnailUrl]) {
      like(await answered(404, rest.get(url)), failure(404, 'file_not_found'));
    }
    const [tombstone] = await answered(200, rest.get(`/api/messages/${from.conversationId}`));
    assert.deepEqual([tombstone.isDeleted, tombstone.content, tombstone.fileUrl, tombstone.thumbnailUrl, tombstone.fileName], [true, '', null, null, null]);
  });

  test('downloads know ranges, ETags, the name in Spanish, and the second path', async (t) => {
    const { from } = await chatting(t);
    const name = 'Año «nuevo» ñandú.txt';
    const bytes = file('notas.txt');
    const { fileUrl: url, fileName } = await answered(201, upload({ file: browserFile('notas.txt', { as: name }), ...from }));
    assert.equal(fileName, name);
    const whole = await download(url);
    assert.equal(whole.status, 200);
    assert.equal(Number(whole.headers['content-length']), bytes.length);
    assert.equal(whole.headers['x-content-type-options'], 'nosniff');
    assert.match(whole.headers['content-disposition'], /^attachment;/);
    assert.ok(whole.headers['content-disposition'].includes(`filename*=UTF-8''${encodeURIComponent(name)}`), whole.headers['content-disposition']);

    const part = await download(url, { Range: 'bytes=10-19' });
    assert.equal(part.status, 206);
    assert.equal(part.headers['content-range'], `bytes 10-19/${bytes.length}`);
    assert.deepEqual(Buffer.from(part.data), bytes.subarray(10, 20));
    const tail = await download(url, { Range: 'bytes=-5' });
    assert.deepEqual([tail.status, Buffer.from(tail.data)], [206, bytes.subarray(-5)]);
    const beyond = await download(url, { Range: `bytes=${bytes.length}-` });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers['content-range'], `bytes */${bytes.length}`);
    like(JSON.parse(Buffer.from(beyond.data)), failure(416, 'range_not_satisfiable'));

    const { etag } = whole.headers;
    const known = await download(url, { 'If-None-Match': etag });
    assert.equal(known.status, 304);
    assert.equal(known.data.byteLength ?? known.data.length, 0);
    assert.equal(known.headers.etag, etag);
    assert.equal((await download(url, { 'If-None-Match': '"another"' })).status, 200);

    const alias = await download(url.replace('/api/files/', '/uploads/'));
    assert.equal(alias.status, 200);
    assert.deepEqual(Buffer.from(alias.data), bytes);
    assert.deepEqual([alias.headers.etag, alias.headers['x-content-type-options']], [etag, 'nosniff']);
    const head = await rest.head(url);
    assert.deepEqual([head.status, Number(head.headers['content-length'])], [200, bytes.length]);
  });

  test('a browser shows pictures and plays sound in the page, and saves the rest', async () => {
    for (const [name, how] of [['foto.png', 'inline'], ['voz.mp3', 'inline'], ['informe.pdf', 'inline'], ['notas.txt', 'attachment'], ['carta.docx', 'attachment']]) {
      const { fileUrl: url } = await answered(201, upload({ file: browserFile(name) }));
      const served = await download(url);
      assert.equal(served.headers['content-disposition'].split(';')[0], how, name);
      assert.equal(served.headers['x-content-type-options'], 'nosniff');
    }
  });

  test('files that are not there, and names that are paths, are 404', async () => {
    for (const path of ['/api/files/none.png', '/uploads/none.png', '/api/files/..%2Fchat.db', '/uploads/%2e%2e%2fchat.db']) {
      const body = await answered(404, rest.get(path));
      assert.ok(['file_not_found', 'not_found'].includes(body.code), body.code);
      like(body, failure(404, body.code));
    }
  });
});
