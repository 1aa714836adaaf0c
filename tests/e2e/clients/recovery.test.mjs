// Connection state recovery as socket.io-client itself does it: the client that lost its network goes on where it was.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { answered, during, enter, joining, rest, say, settle, withTimeout, World } from './harness.mjs';

const reconnects = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 1, randomizationFactor: 0 };

/** Lose the network, do something meanwhile, and come back when it is done; `heard()` is all since the loss. */
async function away(client, action, watcher) {
  const { socket } = client;
  socket.io.reconnection(false);
  client.forget();
  const lost = new Promise((resolve) => { socket.once('disconnect', resolve); });
  client.drop();
  await lost;
  const result = await action();
  await settle([watcher]);
  const back = new Promise((resolve) => { socket.once('connect', resolve); });
  socket.connect();
  await withTimeout('connect', back);
  await client.upgraded();
  await settle([client, watcher]);
  return result;
}

const names = (client) => client.heard().map(([name]) => name);

suite('connection state recovery', () => {
  test('what was missed arrives once and in order, and then it goes on', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const [chat, other] = [await world.group('Sala', maria, juan), await world.group('Otra', maria, juan)];
    await enter(chat, maria, juan);
    await say(maria, chat, 'antes');
    await settle([juan, maria]);
    const { id } = juan.socket;
    maria.forget();
    const missed = await away(juan, async () => {
      const first = await say(maria, chat, 'uno');
      await maria.done('edit_message', { messageId: first.id, newContent: 'uno.', userId: maria.userId });
      await maria.done('typing_start', { conversationId: chat.id, userId: maria.userId });
      await maria.done('typing_stop', { conversationId: chat.id, userId: maria.userId });
      const second = await say(maria, chat, 'dos');
      const elsewhere = await say(maria, other, 'en otra parte');
      return [first, second, elsewhere];
    }, maria);
    assert.deepEqual([juan.socket.recovered, juan.socket.id], [true, id]);
    const heard = juan.heard();
    assert.deepEqual(heard.map(([name, data]) => [name, data.content ?? data.isTyping ?? data.messagePreview]), [
      ['message_received', 'uno'], ['message_edited', 'uno.'], ['typing_indicator', true], ['typing_indicator', false],
      ['message_received', 'dos'], ['unread_message_group', 'en otra parte'],
    ]);
    assert.deepEqual([heard[0][1].seq, heard[4][1].seq, heard[5][1].messageId], [missed[0].seq, missed[1].seq, missed[2].id]);
    assert.deepEqual(maria.heard('user_joined', 'user_left'), []);
    await during([maria, juan], () => say(maria, chat, 'tres'));
    assert.deepEqual(names(juan), ['message_received']);
    const answer = await say(juan, chat, 'aquí sigo');
    assert.equal(answer.senderId, juan.userId);
  });

  test('a second loss, before anything else was told, is recovered from too', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const chat = await world.private(maria, juan);
    await enter(chat, maria, juan);
    for (const content of ['uno', 'dos', null, 'tres']) {
      await away(juan, () => content && say(maria, chat, content), maria);
      assert.equal(juan.socket.recovered, true, content);
      const heard = juan.heard('message_received').map(([, data]) => data.content);
      assert.deepEqual(heard, content ? [content] : []);
    }
  });

  test('nobody hears of their own absence, others do, and the return is told', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    maria.forget();
    await away(juan, () => maria.next('user_status_update', ({ userId }) => userId === juan.userId), maria);
    assert.equal(juan.socket.recovered, true);
    assert.deepEqual(names(juan), []);
    assert.deepEqual(names(maria), ['user_disconnected', 'user_status_update', 'user_connected']);
    assert.equal((await answered(200, rest.get(`/api/users/${juan.userId}`))).status, 'online');
  });

  test('who was taken out meanwhile hears no more of the group, and all the rest', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const [group, chat] = [await world.group('Sala', maria, juan), await world.private(maria, juan)];
    await enter(group, maria, juan);
    await enter(chat, maria, juan);
    await away(juan, async () => {
      await say(maria, group, 'todavía');
      await answered(200, rest.delete(`/api/conversations/${group.id}/participants/${juan.userId}?removedBy=${maria.userId}`));
      await say(maria, group, 'secreto');
      await say(maria, chat, 'hola');
    }, maria);
    assert.equal(juan.socket.recovered, true);
    assert.deepEqual(juan.heard('message_received').map(([, data]) => data.content), ['hola']);
    assert.equal(juan.heard('user_removed_from_group').length, 1);
    await during([maria, juan], () => say(maria, group, 'más secreto'));
    assert.deepEqual(names(juan), []);
  });

  test('who said goodbye begins anew', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const chat = await world.private(maria, juan);
    await enter(chat, maria, juan);
    const id = juan.socket.id;
    juan.socket.disconnect();
    juan.forget();
    await say(maria, chat, 'te fuiste');
    await juan.connect();
    assert.equal(juan.socket.recovered, false);
    assert.notEqual(juan.socket.id, id);
    await say(maria, chat, '¿estás?');
    await settle([juan, maria]);
    assert.deepEqual(names(juan), []);
    await juan.refused('not_identified', 'user_status', { userId: undefined, status: 'online' });
  });

  test('whom the server has sent away begins anew', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const gone = new Promise((resolve) => { juan.socket.once('disconnect', resolve); });
    await answered(200, rest.delete(`/api/users/${juan.userId}`));
    assert.equal(await gone, 'io server disconnect');
    await juan.connect();
    assert.equal(juan.socket.recovered, false);
    await settle([maria, juan]);
  });

  test('a user who was deleted meanwhile begins anew', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    await away(juan, () => answered(200, rest.delete(`/api/users/${juan.userId}`)), maria);
    assert.equal(juan.socket.recovered, false);
  });

  test('somebody else with the same secret begins anew', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    await away(juan, () => { juan.socket.auth = { userId: maria.userId }; }, maria);
    assert.equal(juan.socket.recovered, false);
  });

  test('a client that comes back before its loss is noticed takes its connection over', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const chat = await world.private(maria, juan);
    await enter(chat, maria, juan);
    await say(maria, chat, 'hola');
    await settle([juan]);
    const { _pid: pid, _lastOffset: offset, id } = juan.socket;
    const twin = await world.client({ ...reconnects, auth: { pid, offset } }); // the old connection is still open
    assert.equal(twin.socket.id, id);
    await withTimeout('the old connection ends', new Promise((resolve) => {
      if (juan.socket.connected) juan.socket.once('disconnect', resolve);
      else resolve();
    }));
    await during([maria, twin], () => say(maria, chat, 'otra vez'));
    assert.deepEqual(names(twin), ['message_received']);
  });

  for (const [what, change] of Object.entries({
    'a secret that nobody has': (socket) => { socket._pid = 'alone.AAAAAAAAAAAAAAAAAAAAAAAA'; },
    'an offset that is none': (socket) => { socket._lastOffset = 'mañana'; },
    'an offset of the future': (socket) => { socket._lastOffset = `${socket._lastOffset}0000`; },
    'an offset of somebody else': (socket) => { socket._lastOffset = `x${socket._lastOffset}`; },
  })) {
    test(`${what} begins anew`, async (t) => {
      const world = new World(t);
      const [maria, juan] = await world.online('María', 'Juan');
      const chat = await world.private(maria, juan);
      await enter(chat, maria, juan);
      await say(maria, chat, 'hola');
      await settle([juan]);
      await away(juan, () => change(juan.socket), maria);
      assert.equal(juan.socket.recovered, false);
      await juan.done('user_join', joining({ id: juan.userId, name: 'Juan', email: 'juan@example.com' }));
    });
  }
});
