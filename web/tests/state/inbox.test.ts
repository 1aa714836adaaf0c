import { beforeEach, describe, expect, it } from 'vitest';
import { Inbox } from '../../src/state/inbox';
import { aMessage, anEntry, ME } from '../support';

describe('the inbox', () => {
  let inbox: Inbox;

  beforeEach(() => {
    inbox = new Inbox(ME);
    inbox.replace([anEntry({ lastSeq: 3, lastReadSeq: 3 }), anEntry({ id: 'c2', lastMessageAt: '2026-03-11T00:00:00.000Z' })]);
  });

  it('counts what others wrote as unread and moves the conversation up', () => {
    inbox.messageCame(aMessage(4, { timestamp: '2026-03-12T00:00:00.000Z' }));
    expect(inbox.get('c1')).toMatchObject({ unreadCount: 1, lastSeq: 4, lastMessage: 'message 4' });
    expect(inbox.sorted.value.map(({ id }) => id)).toEqual(['c1', 'c2']);
  });

  it('counts an own message as read, and all before it', () => {
    inbox.messageCame(aMessage(4));
    inbox.messageCame(aMessage(5, { senderId: ME }));
    expect(inbox.get('c1')).toMatchObject({ unreadCount: 0, lastReadSeq: 5 });
  });

  it('counts a message that comes twice once', () => {
    inbox.messageCame(aMessage(4));
    inbox.messageCame(aMessage(4));
    expect(inbox.get('c1')?.unreadCount).toBe(1);
  });

  it('is not taken back by an older message that comes late', () => {
    inbox.messageCame(aMessage(5));
    inbox.messageCame(aMessage(4));
    expect(inbox.get('c1')).toMatchObject({ lastSeq: 5, lastMessage: 'message 5', unreadCount: 2 });
  });

  it('follows the read mark of another device, forward only', () => {
    inbox.messageCame(aMessage(4));
    inbox.messageCame(aMessage(5));
    inbox.markMoved({ conversationId: 'c1', userId: ME, lastReadSeq: 4, timestamp: '' });
    expect(inbox.get('c1')?.unreadCount).toBe(1);
    inbox.markMoved({ conversationId: 'c1', userId: ME, lastReadSeq: 2, timestamp: '' });
    expect(inbox.get('c1')?.unreadCount).toBe(1);
  });

  it('does not take the mark of somebody else for its own', () => {
    inbox.messageCame(aMessage(4));
    inbox.markMoved({ conversationId: 'c1', userId: 'luis', lastReadSeq: 4, timestamp: '' });
    expect(inbox.get('c1')?.unreadCount).toBe(1);
  });

  it('takes the count of a conversation that it does not hear live', () => {
    inbox.unread({
      conversationId: 'c2', messageId: 'x', senderId: 'luis', senderName: 'Luis', senderAvatar: null,
      messagePreview: 'hola', timestamp: '2026-03-12T00:00:00.000Z', unreadCount: 7,
    });
    expect(inbox.get('c2')).toMatchObject({ unreadCount: 7, lastSeq: 7, lastMessage: 'hola' });
  });

  it('shows the corrected preview of the newest message only', () => {
    inbox.messageCame(aMessage(4));
    inbox.messageChanged(aMessage(3, { content: 'older' }));
    expect(inbox.get('c1')?.lastMessage).toBe('message 4');
    inbox.messageChanged(aMessage(4, { content: 'newer' }));
    expect(inbox.get('c1')?.lastMessage).toBe('newer');
    inbox.messageDeleted({ conversationId: 'c1', seq: 4 });
    expect(inbox.get('c1')?.lastMessage).toBe('');
  });

  it('adds and removes members, each once, and knows the new owner', () => {
    const change = { by: 'luis', newOwnerId: null, timestamp: '' };
    inbox.membersChanged('c1', { action: 'add', userIds: ['eva', 'marta'], ...change });
    expect(inbox.get('c1')?.participants).toEqual([ME, 'luis', 'eva', 'marta']);
    inbox.membersChanged('c1', { action: 'remove', userIds: ['luis'], ...change, newOwnerId: 'marta' });
    expect(inbox.get('c1')).toMatchObject({ participants: [ME, 'eva', 'marta'], createdBy: 'marta' });
  });
});
