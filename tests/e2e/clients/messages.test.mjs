// Messages: who gets them, in which order, corrected, taken back, answered, repeated.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, during, enter, rest, say, settle } from './harness.mjs';
import { failure, hears, like, message, text, time, unread } from './shapes.mjs';

const profile = async (client) => answered(200, rest.get(`/api/users/${client.userId}`));

async function chatting(t, ...names) {
  const world = new World(t);
  const [juan, maria, ...others] = await world.online('Juan', 'María', ...names);
  const chat = await world.private(juan, maria);
  return { world, juan, maria, others, chat, author: await profile(juan) };
}

describe('messages', { concurrency: 4 }, () => { // each test has people and conversations of its own
  test('a message reaches every socket in the room, the own included, with all of its fields', async (t) => {
    const { world, juan, maria, chat, author, others: [eve] } = await chatting(t, 'Eve');
    const juanToo = await world.join(author);
    await enter(chat, juan, juanToo, maria);
    const everybody = [juan, juanToo, maria, eve];
    const sent = await during(everybody, () => juan.done('send_message', {
      conversationId: chat.id, senderId: juan.userId, recipientId: maria.userId, content: 'Hola ñ 👋', messageType: 'text', clientMessageId: 'c-1',
    }));
    like(sent, message(author, { conversationId: chat.id, recipientId: maria.userId, seq: 1, content: 'Hola ñ 👋', clientMessageId: 'c-1' }));
    assert.equal(sent.timestamp, sent.createdAt);
    for (const client of [juan, juanToo, maria]) hears(client, ['message_received', sent]);
    hears(eve);
  });

  test('participants outside the room get one unread notice on each of their sockets, at once', async (t) => {
    const { world, juan, maria, chat, author, others: [ana] } = await chatting(t, 'Ana');
    const mariaToo = await world.join(await profile(maria));
    const group = await world.group('Ventas', juan, maria, ana);
    await enter(chat, juan);
    await enter(group, ana);
    const everybody = [juan, maria, mariaToo, ana];
    const first = await during(everybody, () => say(juan, chat, 'uno'));
    const notice = ['unread_message_private', unread(author, { conversationId: chat.id, messageId: first.id, messagePreview: 'uno', timestamp: first.timestamp })];
    hears(juan, ['message_received', first]);
    hears(maria, notice);
    hears(mariaToo, notice);
    hears(ana);
    const second = await during(everybody, () => say(juan, chat, 'x'.repeat(300)));
    hears(maria, ['unread_message_private', unread(author, {
      conversationId: chat.id, messageId: second.id, unreadCount: 2, messagePreview: (shown) => shown.length <= 100 && shown.startsWith('xxx'),
    })]);
    const third = await during(everybody, () => say(juan, group, 'reunión'));
    const groupNotice = ['unread_message_group', unread(author, {
      conversationId: group.id, conversationName: 'Ventas', messageId: third.id, messagePreview: 'reunión',
    })];
    hears(juan); // the author never counts as somebody who has not read it
    hears(maria, groupNotice);
    hears(mariaToo, groupNotice);
    hears(ana, ['message_received', third]);
  });

  test('one device in the room is enough: no notice for the others of that user', async (t) => {
    const { world, juan, maria, chat } = await chatting(t);
    const mariaToo = await world.join(await profile(maria));
    await enter(chat, juan, maria);
    await during([juan, maria, mariaToo], () => say(juan, chat, 'hola'));
    assert.deepEqual(maria.heard().map(([name]) => name), ['message_received']);
    hears(mariaToo);
  });

  test('a hundred messages fired without waiting arrive everywhere in the order sent, without gaps', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const acks = await during([juan, maria], () => Promise.all(Array.from({ length: 100 }, (_, i) => say(juan, chat, `n${i}`))));
    const expected = acks.map((_, i) => [i + 1, `n${i}`]);
    assert.deepEqual(acks.map(({ seq, content }) => [seq, content]), expected);
    for (const client of [juan, maria]) {
      assert.deepEqual(client.heard().map(([, { seq, content }]) => [seq, content]), expected);
    }
  });

  test('two people who write at the same time see one order, without gaps', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    await during([juan, maria], () => Promise.all(Array.from({ length: 40 }, (_, i) => say(i % 2 ? juan : maria, chat, `n${i}`))));
    const seen = juan.heard().map(([, { seq, id }]) => [seq, id]);
    assert.deepEqual(seen.map(([seq]) => seq), Array.from({ length: 40 }, (_, i) => i + 1));
    assert.deepEqual(maria.heard().map(([, { seq, id }]) => [seq, id]), seen);
  });

  test('without waiting for acknowledgements, events are handled in the order sent', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, maria);
    const place = { conversationId: chat.id, userId: juan.userId };
    await during([juan, maria], () => {
      juan.tell('join_room', place);
      juan.tell('typing_start', { ...place, userName: 'Juan' });
      juan.tell('send_message', { conversationId: chat.id, senderId: juan.userId, content: 'a', messageType: 'text' });
      juan.tell('typing_stop', place);
      juan.tell('leave_room', place);
    });
    assert.deepEqual(maria.heard().map(([name]) => name), ['user_joined', 'typing_indicator', 'message_received', 'typing_indicator', 'user_left']);
  });

  test('the same clientMessageId gives the first message again and tells nobody twice', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const once = { clientMessageId: 'retry-1' };
    const first = await say(juan, chat, 'una vez', once);
    const again = await during([juan, maria], () => say(juan, chat, 'una vez', once));
    assert.deepEqual(again, first);
    hears(juan);
    hears(maria);
    await juan.refused('idempotency_key_reused', 'send_message', { conversationId: chat.id, senderId: juan.userId, content: 'otra cosa', messageType: 'text', ...once });
    const marias = await say(maria, chat, 'lo mío', once); // keys are each sender's own
    assert.equal(marias.seq, 2);
    const both = await Promise.all([say(juan, chat, 'doble', { clientMessageId: 'r2' }), say(juan, chat, 'doble', { clientMessageId: 'r2' })]);
    assert.deepEqual(both[0], both[1]);
    assert.equal((await answered(200, rest.get(`/api/messages/${chat.id}`))).length, 3);
  });

  test('send_message with replyTo is a reply', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const original = await say(juan, chat, 'pregunta');
    const reply = await during([juan, maria], () => say(maria, chat, 'respuesta', { replyTo: original.id }));
    like(reply, message(await profile(maria), {
      conversationId: chat.id, recipientId: juan.userId, seq: 2, content: 'respuesta', replyTo: original.id, replyPreview: 'pregunta', isReply: true,
    }));
    hears(juan, ['reply_received', reply]);
    hears(maria, ['reply_received', reply]);
  });

  test('send_reply reaches the room as reply_received and its sender as reply_sent_success', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const original = await say(juan, chat, 'p'.repeat(150));
    const reply = await during([juan, maria], () => maria.done('send_reply', {
      conversationId: chat.id, senderId: maria.userId, content: 'respuesta', messageType: 'text', replyTo: original.id,
    }));
    like(reply, message(await profile(maria), {
      conversationId: chat.id, recipientId: juan.userId, seq: 2, content: 'respuesta', replyTo: original.id, isReply: true,
      replyPreview: (shown) => shown.length === 100 && shown.startsWith('p'.repeat(99)),
    }));
    const success = { messageId: reply.id, conversationId: chat.id, timestamp: reply.timestamp };
    hears(juan, ['reply_received', reply]);
    hears(maria, ['reply_received', reply], ['reply_sent_success', success]);
  });

  test('a reply to a message of another conversation is refused and leaves nothing', async (t) => {
    const { world, juan, maria, chat } = await chatting(t);
    const group = await world.group('Ventas', juan, maria);
    const elsewhere = await say(juan, group, 'en otro lugar');
    await enter(chat, juan, maria);
    const asked = { conversationId: chat.id, senderId: juan.userId, content: 'x', messageType: 'text', replyTo: elsewhere.id };
    await during([juan, maria], () => juan.refused('reply_to_other_conversation', 'send_message', asked));
    hears(juan);
    hears(maria);
    await during([juan, maria], () => juan.refused('reply_to_other_conversation', 'send_reply', asked));
    hears(juan, ['reply_error', { error: text, code: 'reply_to_other_conversation', details: { replyTo: elsewhere.id } }]);
    hears(maria);
    await juan.refused('reply_target_missing', 'send_reply', { ...asked, replyTo: 'nowhere' });
    await juan.refused('invalid_data', 'send_reply', { ...asked, replyTo: undefined });
    assert.deepEqual(await answered(200, rest.get(`/api/messages/${chat.id}`)), []);
  });

  test('an own text message is edited for the whole room', async (t) => {
    const { juan, maria, chat, author } = await chatting(t);
    await enter(chat, juan, maria);
    const sent = await say(juan, chat, 'Hloa');
    const edited = await during([juan, maria], () => juan.done('edit_message', { messageId: sent.id, newContent: 'Hola', userId: juan.userId }));
    like(edited, { ...sent, content: 'Hola', isEdited: true, editedAt: time });
    hears(juan, ['message_edited', edited]);
    hears(maria, ['message_edited', edited]);
    assert.deepEqual(await answered(200, rest.get(`/api/messages/${chat.id}`)), [edited]);
    assert.equal((await answered(200, rest.get(`/api/conversations/${chat.id}`))).lastMessage, 'Hola');
    assert.equal(edited.sender.id, author.id);
  });

  test('editing what is not an own text message fails with edit_message_error to the asker alone', async (t) => {
    const { world, juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const sent = await say(juan, chat, 'mío');
    const told = (code, details = () => true) => ['edit_message_error', { error: text, code, details }];
    const edit = (beside) => ({ messageId: sent.id, newContent: 'tuyo', userId: maria.userId, ...beside });
    await during([juan, maria], () => maria.refused('not_message_sender', 'edit_message', edit()));
    hears(maria, told('not_message_sender', { messageId: sent.id }));
    hears(juan);
    await during([juan, maria], () => maria.refused('message_not_found', 'edit_message', edit({ messageId: 'nowhere' })));
    hears(maria, told('message_not_found'));
    await during([juan, maria], () => juan.refused('invalid_data', 'edit_message', edit({ newContent: '  ', userId: juan.userId })));
    hears(juan, told('invalid_data'));
    await juan.done('delete_message', { messageId: sent.id, userId: juan.userId });
    await during([juan, maria], () => juan.refused('message_deleted', 'edit_message', edit({ userId: juan.userId })));
    hears(juan, told('message_deleted'));
    const group = await world.group('Ventas', juan, maria);
    const left = await say(juan, group, 'adiós');
    await juan.done('leave_group', { conversationId: group.id, userId: juan.userId });
    await juan.refused('not_a_participant', 'edit_message', { messageId: left.id, newContent: 'otra', userId: juan.userId });
  });

  test('an own message is deleted for the whole room and leaves a tombstone', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const sent = await say(juan, chat, 'ay');
    const gone = { messageId: sent.id, conversationId: chat.id, seq: 1 };
    const asked = { messageId: sent.id, userId: juan.userId };
    assert.deepEqual(await during([juan, maria], () => juan.done('delete_message', asked)), gone);
    hears(juan, ['message_deleted', gone]);
    hears(maria, ['message_deleted', gone]);
    like(await answered(200, rest.get(`/api/messages/${chat.id}`)), [{ ...sent, content: '', isDeleted: true }]);
    assert.deepEqual(await during([juan, maria], () => juan.done('delete_message', asked)), gone);
    hears(maria);
  });

  test("deleting somebody else's message fails with delete_message_error to the asker alone", async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const sent = await say(juan, chat, 'mío');
    await during([juan, maria], () => maria.refused('not_message_sender', 'delete_message', { messageId: sent.id, userId: maria.userId }));
    hears(maria, ['delete_message_error', { error: 'El mensaje es de otra persona', code: 'not_message_sender', details: { messageId: sent.id } }]);
    hears(juan);
    await during([juan, maria], () => maria.refused('message_not_found', 'delete_message', { messageId: 'nowhere', userId: maria.userId }));
    hears(maria, ['delete_message_error', { error: text, code: 'message_not_found', details: { messageId: 'nowhere' } }]);
  });

  test('replies are found by the original, over REST', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    const original = await say(juan, chat, 'pregunta');
    const one = await say(maria, chat, 'uno', { replyTo: original.id });
    await say(maria, chat, 'aparte');
    const two = await say(juan, chat, 'dos', { replyTo: original.id });
    assert.deepEqual(await answered(200, rest.get(`/api/messages/${original.id}/replies`)), {
      messageId: original.id, replies: [one, two], repliesCount: 2,
    });
    assert.deepEqual(await answered(200, rest.get(`/api/messages/${original.id}/with-replies`)), {
      ...original, replies: [one, two], repliesCount: 2,
    });
    assert.deepEqual(await answered(200, rest.get(`/api/messages/${one.id}/replies`)), { messageId: one.id, replies: [], repliesCount: 0 });
    for (const path of ['replies', 'with-replies']) {
      like(await answered(404, rest.get(`/api/messages/nowhere/${path}`)), failure(404, 'message_not_found', { messageId: 'nowhere' }));
    }
  });

  test('DELETE /api/messages/:id leaves a tombstone, tells the room, and may be repeated', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const sent = await say(juan, chat, 'ay');
    const deleted = () => answered(200, rest.delete(`/api/messages/${sent.id}`));
    assert.deepEqual(await during([juan, maria], deleted), { message: 'Mensaje eliminado correctamente' });
    const told = ['message_deleted', { messageId: sent.id, conversationId: chat.id, seq: 1 }];
    hears(juan, told);
    hears(maria, told);
    assert.deepEqual(await during([juan, maria], deleted), { message: 'Mensaje eliminado correctamente' });
    hears(juan);
    like(await answered(200, rest.get(`/api/messages/${chat.id}`)), [{ ...sent, content: '', isDeleted: true }]);
    like(await answered(404, rest.delete('/api/messages/nowhere')), failure(404, 'message_not_found', { messageId: 'nowhere' }));
  });

  test('what cannot be a message is refused, field by field', async (t) => {
    const { juan, maria, chat } = await chatting(t);
    await enter(chat, juan, maria);
    const good = { conversationId: chat.id, senderId: juan.userId, content: 'x', messageType: 'text' };
    const fields = async (body) => Object.keys((await juan.refused('invalid_data', 'send_message', body)).details.fields).sort();
    await during([juan, maria], async () => {
      assert.deepEqual(await fields({ ...good, content: ' \n ' }), ['content']);
      assert.deepEqual(await fields({ ...good, content: 5 }), ['content']);
      assert.deepEqual(await fields({ ...good, messageType: 'video' }), ['messageType']);
      assert.deepEqual(await fields({ ...good, conversationId: undefined }), ['conversationId']);
      assert.deepEqual(await fields({ ...good, messageType: 'file' }), ['fileUrl']);
      assert.deepEqual(await fields({ ...good, messageType: 'file', fileUrl: 'javascript:alert(1)' }), ['fileUrl']);
      assert.deepEqual(await fields({ ...good, priority: 'high' }), ['priority']);
      await juan.refused('unknown_file', 'send_message', { ...good, messageType: 'file', fileUrl: '/api/files/none.png' });
      await juan.refused('conversation_not_found', 'send_message', { ...good, conversationId: 'nowhere' });
      await juan.refused('too_large', 'send_message', { ...good, content: 'ñ'.repeat(8193) });
      await juan.refused('too_large', 'send_message', { ...good, content: 'x'.repeat(70000) });
    });
    hears(juan);
    hears(maria);
    const longest = await say(juan, chat, 'ñ'.repeat(8192));
    assert.equal(longest.content.length, 8192);
  });

  test('an external file is sent as the client describes it', async (t) => {
    const { juan, chat, author, maria } = await chatting(t);
    const described = { fileUrl: 'https://cdn.example.com/a.mp3', fileName: 'a.mp3', fileSize: 1234, fileType: 'audio/mpeg' };
    const sent = await say(juan, chat, '', { messageType: 'audio', ...described });
    like(sent, message(author, { conversationId: chat.id, recipientId: maria.userId, content: '', messageType: 'audio', seq: 1, ...described }));
    await settle([maria]);
    assert.equal(maria.heard('unread_message_private')[0][1].messagePreview, 'Audio: a.mp3');
  });
});
