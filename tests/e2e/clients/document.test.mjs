// Every example of the document, as it is written there: its ids, its values, its helper functions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import {
  createConversation, createUser, getMessages, getUserConversations, getUsers, uploadFile,
} from './document.mjs';
import { BASE, TRANSPORT, World, browserFile, during, enter, file, record, rest, settle, withTimeout } from './harness.mjs';
import { conversation, fileUrl, hears, inboxEntry, like, message, time, unread, user, uuid } from './shapes.mjs';

const JUAN = {
  userId: 'user123', name: 'Juan Pérez', email: 'juan@example.com', roles: ['user'], filials: ['sucursal1'], avatar: 'avatar.jpg',
};
const MARIA = {
  userId: 'user456', name: 'María García', email: 'maria@example.com', roles: ['user'], filials: ['sucursal1'], avatar: 'avatar.jpg',
};
const asUser = ({ userId, ...profile }) => ({ id: userId, ...profile });

/** The document's people with a socket each; the document's ids end in no tag, so this world knows them all. */
async function people(t) {
  const world = new World(t);
  world.knows = (userId) => ['user123', 'user456'].includes(userId);
  const juan = await world.client({ userId: JUAN.userId });
  const maria = await world.client({ userId: MARIA.userId });
  await juan.done('user_join', JUAN);
  await maria.done('user_join', MARIA);
  const { id } = await createConversation({
    type: 'private', participants: ['user123', 'user456'], createdBy: 'user123',
  });
  return { world, juan, maria, conversationId: id };
}

test('the connection example connects and disconnects', async () => {
  const transports = { websocket: ['websocket'], polling: ['polling'], default: ['polling', 'websocket'] }[TRANSPORT];
  const socket = io(BASE, { transports, autoConnect: false });
  const connected = new Promise((resolve) => socket.on('connect', resolve));
  const gone = new Promise((resolve) => socket.on('disconnect', resolve));
  assert.equal(socket.connected, false);
  socket.connect();
  await withTimeout('connect', connected);
  assert.ok(socket.id);
  record({ kind: 'transport', when: 'first', name: transports[0] });
  socket.disconnect();
  assert.equal(await withTimeout('disconnect', gone), 'io client disconnect');
});

test('a connection that is refused arrives as connect_error', async () => {
  const socket = io(BASE, { autoConnect: false, forceNew: true, reconnection: false, auth: { userId: 7 } });
  const refused = new Promise((resolve) => socket.on('connect_error', resolve));
  socket.connect();
  const error = await withTimeout('connect_error', refused);
  assert.equal(error.message, 'Datos inválidos');
  like(error.data, { code: 'invalid_data', message: 'Datos inválidos', details: { fields: { userId: Array.isArray } } });
  socket.disconnect();
});

test('user_join tells the others of a user with all documented fields', async (t) => {
  const world = new World(t);
  world.knows = (userId) => userId === 'user123';
  const watcher = await world.join(await world.user('Vigía'));
  const juan = await world.client({ userId: 'user123' });
  await during([watcher, juan], () => juan.tell('user_join', JUAN));
  const whole = user({ ...asUser(JUAN), status: 'online', isOnline: true });
  hears(watcher, ['user_connected', {
    user: whole, userId: 'user123', name: 'Juan Pérez', email: 'juan@example.com', status: 'online',
  }]);
  assert.deepEqual(juan.heard('user_connected'), []);
});

test('user_leave tells the others who has gone, and when', async (t) => {
  const { juan, maria } = await people(t);
  await during([maria], () => juan.tell('user_leave', { userId: 'user123' }));
  like(await maria.next('user_disconnected'), { userId: 'user123', lastSeen: time });
  like(await maria.next('user_status_update'), { userId: 'user123', status: 'offline', lastSeen: time });
});

test('the conversation examples open and close a conversation', async (t) => {
  const { juan, maria, conversationId } = await people(t);
  await during([juan, maria], () => juan.tell('join_room', { conversationId, userId: 'user123' }));
  hears(juan, ['user_joined', { conversationId, userId: 'user123' }]);
  hears(maria);
  await during([juan, maria], () => juan.tell('leave_room', { conversationId, userId: 'user123' }));
  hears(juan);
  await during([juan, maria], () => maria.tell('send_message', {
    conversationId, senderId: 'user456', recipientId: 'user123', content: '¿Estás?', messageType: 'text',
  }));
  assert.deepEqual(juan.heard().map(([name]) => name), ['unread_message_private']);
});

test('the group example creates a group and tells each participant once', async (t) => {
  const { world, juan, maria } = await people(t);
  for (const id of ['user1', 'user2', 'user3']) await createUser({ id, name: id, email: `${id}@example.com` });
  const uno = await world.client({ userId: 'user1' });
  await uno.done('user_join', { userId: 'user1', name: 'user1', email: 'user1@example.com', roles: [], filials: [] });
  await during([juan, maria, uno], () => juan.tell('create_group', {
    name: 'Mi Grupo', description: 'Descripción del grupo', participants: ['user1', 'user2', 'user3'], createdBy: 'user123',
  }));
  const created = conversation({
    type: 'group', name: 'Mi Grupo', description: 'Descripción del grupo',
    participants: (ids) => [...ids].sort().join() === 'user1,user123,user2,user3', createdBy: 'user123',
  });
  hears(juan, ['group_created', created]);
  hears(uno, ['group_created', created]);
  hears(maria);
});

test('the message example arrives with all documented fields', async (t) => {
  const { juan, maria, conversationId } = await people(t);
  await enter({ id: conversationId }, juan, maria);
  await during([juan, maria], () => juan.tell('send_message', {
    conversationId, senderId: 'user123', recipientId: 'user456', content: 'Hola, ¿cómo estás?', messageType: 'text',
  }));
  const expected = message(asUser(JUAN), { conversationId, recipientId: 'user456', content: 'Hola, ¿cómo estás?' });
  hears(juan, ['message_received', expected]);
  hears(maria, ['message_received', expected]);
});

test('the typing example shows and hides the indicator to the others', async (t) => {
  const { juan, maria, conversationId } = await people(t);
  await enter({ id: conversationId }, juan, maria);
  await during([juan, maria], () => juan.tell('typing_start', { conversationId, userId: 'user123', userName: 'Juan Pérez' }));
  hears(maria, ['typing_indicator', { conversationId, userId: 'user123', userName: 'Juan Pérez', isTyping: true }]);
  hears(juan);
  await during([juan, maria], () => juan.tell('typing_stop', { conversationId, userId: 'user123' }));
  hears(maria, ['typing_indicator', { conversationId, userId: 'user123', userName: 'Juan Pérez', isTyping: false }]);
  hears(juan);
});

test('the unread examples carry sender, preview and time', async (t) => {
  const { juan, maria, conversationId } = await people(t);
  const group = await createConversation({
    type: 'group', name: 'Mi Grupo', participants: ['user123', 'user456'], createdBy: 'user123',
  });
  await juan.done('mark_messages_as_read', { conversationId, userId: 'user123' });
  await during([juan, maria], async () => {
    maria.tell('send_message', {
      conversationId, senderId: 'user456', recipientId: 'user123', content: 'Hola, ¿cómo estás?', messageType: 'text',
    });
    maria.tell('send_message', {
      conversationId: group.id, senderId: 'user456', content: 'Hola a todos!', messageType: 'text',
    });
  });
  hears(
    juan,
    ['unread_message_private', unread(asUser(MARIA), { conversationId, messagePreview: 'Hola, ¿cómo estás?' })],
    ['unread_message_group', unread(asUser(MARIA), {
      conversationId: group.id, conversationName: 'Mi Grupo', messagePreview: 'Hola a todos!',
    })],
  );
  hears(maria);
});

test('user_status, mark_messages_as_read and add_user_to_group work as documented', async (t) => {
  const { juan, maria } = await people(t);
  const group = await createConversation({ type: 'group', name: 'Mi Grupo', participants: ['user123'], createdBy: 'user123' });
  await during([juan, maria], () => juan.tell('add_user_to_group', { conversationId: group.id, participants: ['user456'] }));
  like(await maria.next('user_added_to_group'), {
    conversationId: group.id, conversationName: 'Mi Grupo', addedUsers: ['user456'], addedBy: 'user123', userId: 'user456',
    updatedParticipants: ['user123', 'user456'], participantCount: 2, timestamp: time,
  });
  await maria.done('send_message', { conversationId: group.id, senderId: 'user456', content: 'Hola', messageType: 'text' });
  await during([juan, maria], () => juan.tell('mark_messages_as_read', { conversationId: group.id, userId: 'user123' }));
  hears(juan, ['messages_marked_as_read', { conversationId: group.id, userId: 'user123', timestamp: time, lastReadSeq: 1 }]);
  await during([juan, maria], () => juan.tell('user_status', { userId: 'user123', status: 'offline' }));
  hears(maria, ['user_status_update', { userId: 'user123', status: 'offline', lastSeen: time }]);
  await during([juan, maria], () => juan.tell('user_status', { userId: 'user123', status: 'online' }));
  hears(maria, ['user_status_update', { userId: 'user123', status: 'online', lastSeen: time }]);
});

test('createUser and getUsers give users with all documented fields, online first', async (t) => {
  const { juan } = await people(t);
  const saved = await createUser(asUser(JUAN));
  like(saved, user({ ...asUser(JUAN), status: 'online', isOnline: true }));
  const users = await getUsers();
  like(users.find(({ id }) => id === 'user123'), { ...saved, updatedAt: time, lastSeen: time });
  const online = users.map((one) => one.isOnline);
  assert.deepEqual(online, [...online].sort((a, b) => b - a));
  await settle([juan]);
});

test('createConversation gives the private conversation and getUserConversations lists it', async (t) => {
  const { conversationId } = await people(t);
  const again = await createConversation({ type: 'private', participants: ['user456', 'user123'], createdBy: 'user456' });
  assert.equal(again.id, conversationId);
  const listed = (await getUserConversations('user123')).find(({ id }) => id === conversationId);
  like(listed, inboxEntry({
    id: conversationId, participants: ['user123', 'user456'], createdBy: 'user123', lastMessage: listed.lastMessage,
    lastMessageAt: listed.lastMessageAt, lastSeq: listed.lastSeq, unreadCount: listed.unreadCount,
    lastReadAt: listed.lastReadAt, lastReadSeq: listed.lastReadSeq,
  }));
});

test('getMessages gives the messages, oldest first', async (t) => {
  const { juan, conversationId } = await people(t);
  const sent = await juan.done('send_message', {
    conversationId, senderId: 'user123', recipientId: 'user456', content: 'Hola, ¿cómo estás?', messageType: 'text',
  });
  const messages = await getMessages(conversationId);
  like(messages.at(-1), { ...sent, recipientId: 'user456' });
  const seqs = messages.map(({ seq }) => seq);
  assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index));
});

test('uploadFile stores a file that send_message can send', async (t) => {
  const { juan, conversationId } = await people(t);
  const stored = await uploadFile(browserFile('informe.pdf', { type: 'application/pdf' }));
  like(stored, {
    fileUrl, fileName: 'informe.pdf', fileSize: file('informe.pdf').length, fileType: 'application/pdf', thumbnailUrl: null,
    messageId: null, conversationId: null, senderId: null, timestamp: null, isReply: false, replyTo: null,
  });
  const { fileUrl: url, fileName, fileSize, fileType } = stored;
  const sent = await juan.done('send_message', {
    conversationId, senderId: 'user123', recipientId: 'user456', content: 'El informe', messageType: 'file',
    fileUrl: url, fileName, fileSize, fileType,
  });
  like(sent, message(asUser(JUAN), {
    conversationId, recipientId: 'user456', content: 'El informe', messageType: 'file', fileUrl: url, fileName, fileSize, fileType,
  }));
});

test('the upload examples send the file as a message, and as a reply', async (t) => {
  const { juan, maria, conversationId } = await people(t);
  await enter({ id: conversationId }, juan, maria);
  const currentConversation = { id: conversationId };
  const currentUser = { id: 'user123' };
  const photo = browserFile('foto.jpg', { as: 'original-name.jpg', type: 'image/jpeg' });
  const size = file('foto.jpg').length;

  const formData = new FormData();
  formData.append('file', photo);
  formData.append('conversationId', currentConversation.id);
  formData.append('senderId', currentUser.id);
  const first = await during([juan, maria], () => fetch(`${BASE}/api/upload`, { method: 'POST', body: formData }).then(taken));
  const described = {
    fileUrl, fileName: 'original-name.jpg', fileSize: size, fileType: 'image/jpeg', thumbnailUrl: fileUrl,
    messageId: uuid, conversationId, senderId: 'user123', timestamp: time, isReply: false, replyTo: null,
  };
  like(first, described);
  const [[name, received]] = maria.heard();
  assert.equal(name, 'message_received');
  const { fileUrl: url, thumbnailUrl } = first;
  like(received, message(asUser(JUAN), {
    id: first.messageId, conversationId, recipientId: 'user456', messageType: 'file', timestamp: first.timestamp,
    createdAt: first.timestamp, fileUrl: url, fileName: 'original-name.jpg', fileSize: size, fileType: 'image/jpeg', thumbnailUrl,
  }));

  const formDataReply = new FormData();
  formDataReply.append('file', photo);
  formDataReply.append('conversationId', currentConversation.id);
  formDataReply.append('senderId', currentUser.id);
  formDataReply.append('replyTo', first.messageId);
  const reply = await during([juan, maria], () => fetch(`${BASE}/api/upload`, { method: 'POST', body: formDataReply }).then(taken));
  like(reply, { ...described, isReply: true, replyTo: first.messageId });
  for (const client of [juan, maria]) {
    hears(client, ['reply_received', message(asUser(JUAN), {
      id: reply.messageId, conversationId, recipientId: 'user456', messageType: 'file', fileUrl: reply.fileUrl,
      fileName: 'original-name.jpg', fileSize: size, fileType: 'image/jpeg', thumbnailUrl: reply.thumbnailUrl,
      isReply: true, replyTo: first.messageId, replyPreview: 'Archivo: original-name.jpg',
    })]);
  }
  const gone = await rest.get(`/uploads/${first.fileUrl.split('/').pop()}`, { responseType: 'arraybuffer' });
  assert.deepEqual(Buffer.from(gone.data), file('foto.jpg'));
});

async function taken(response) {
  const body = await response.json();
  record({ kind: 'answer', method: 'POST', path: '/api/upload', status: response.status, type: response.headers.get('content-type'), body });
  assert.equal(response.status, 201);
  return body;
}
