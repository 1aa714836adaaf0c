// What each thing must look like: all of its fields and no others.
import assert from 'node:assert/strict';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const time = (value) => typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value));
export const uuid = (value) => typeof value === 'string' && UUID.test(value);
export const text = (value) => typeof value === 'string' && value.length > 0;
export const number = (value) => Number.isInteger(value);
export const object = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
export const matching = (pattern) => (value) => typeof value === 'string' && pattern.test(value);
export const fileUrl = matching(/^\/api\/files\/[\w.-]+$/);

/** `expected` is what it must equal; a function in it decides by itself. Exactly its fields, exactly its items. */
export function like(actual, expected, where = 'it') {
  if (typeof expected === 'function') {
    assert.ok(expected(actual), `${where}: ${JSON.stringify(actual)} is not as expected (${expected.name || expected})`);
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${where} is no array: ${JSON.stringify(actual)}`);
    assert.equal(actual.length, expected.length, `${where} has ${actual.length} items: ${JSON.stringify(actual)}`);
    expected.forEach((item, index) => like(actual[index], item, `${where}[${index}]`));
  } else if (object(expected)) {
    assert.ok(object(actual), `${where} is no object: ${JSON.stringify(actual)}`);
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), `fields of ${where}`);
    for (const [name, value] of Object.entries(expected)) like(actual[name], value, `${where}.${name}`);
  } else {
    assert.deepStrictEqual(actual, expected, where);
  }
}

/** The client heard these events since `during` began, in this order, and nothing else. */
export function hears(client, ...events) {
  const heard = client.heard();
  assert.deepEqual(heard.map(([name]) => name), events.map(([name]) => name), `what ${client.userId} heard`);
  like(heard, events, `what ${client.userId} heard`);
}

export const user = (beside) => ({
  id: text, name: text, email: text, roles: Array.isArray, filials: Array.isArray, status: 'offline', lastSeen: time,
  avatar: null, createdAt: time, updatedAt: time, isActive: true, isOnline: false, ...beside,
});

export const conversation = (beside) => ({
  id: uuid, type: 'private', name: null, description: null, participants: Array.isArray, createdBy: text,
  createdAt: time, updatedAt: time, lastMessage: null, lastMessageAt: null, lastSeq: 0,
  rev: number, ...beside,
});

export const inboxEntry = (beside) => ({
  ...conversation(), unreadCount: 0, lastReadAt: null, lastReadSeq: 0, ...beside,
});

/** `sender` is a user as REST answers it. */
export const message = (sender, beside) => ({
  id: uuid, conversationId: uuid, seq: number, senderId: sender.id, recipientId: null, content: text,
  messageType: 'text', fileUrl: null, fileName: null, fileSize: null, fileType: null, thumbnailUrl: null,
  replyTo: null, replyPreview: null, isReply: false, isEdited: false, editedAt: null, isDeleted: false,
  timestamp: time, createdAt: time, sender: { id: sender.id, name: sender.name, avatar: sender.avatar },
  clientMessageId: null, call: null, ...beside,
});

export const unread = (sender, beside) => ({
  conversationId: uuid, messageId: uuid, senderId: sender.id, senderName: sender.name, senderAvatar: sender.avatar,
  messagePreview: text, timestamp: time, unreadCount: 1, ...beside,
});

export const change = (rev, type, beside) => ({
  rev, type, message: null, read: null, members: null, details: null, throughSeq: null, ...beside,
});

export const PHRASES = {
  400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict',
  413: 'Request Entity Too Large', 415: 'Unsupported Media Type', 416: 'Requested Range Not Satisfiable',
  422: 'Unprocessable Entity', 429: 'Too Many Requests',
};

/** The body of every refusal over REST. */
export const failure = (statusCode, code, details = object) => ({
  statusCode, error: PHRASES[statusCode], code, message: text, details, requestId: text,
});
