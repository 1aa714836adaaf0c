// Made by scripts/web-types from /api/openapi.json and /api/asyncapi.json. Do not edit.

export type ActionError = {
  /** What went wrong, for people */
  error: string;
  code: string;
  details: Record<string, unknown>;
};

export type AddUserToGroup = {
  participants?: (string)[];
  userId?: string;
  addedBy?: string;
  conversationId: string;
};

export type AllConversations = {
  conversations: (Conversation)[];
};

export type Backlog = {
  /** Conversations and the like in which events wait */
  lanes: number;
  /** Since when the oldest of them waits */
  oldestAt: string | null;
};

export type BatchDeleted = {
  /** For people, in the document's words */
  message: string;
  deletedCount: number;
  batchSize: number;
};

export type Call = {
  callId: string;
  conversationId: string;
  state: "ringing" | "ongoing" | "ended";
  /** Why it has ended */
  reason: "hangup" | "missed" | "declined" | "busy" | "failed" | null;
  media: "audio" | "video";
  startedBy: string;
  startedAt: string;
  ringsUntil: string;
  answeredAt: string | null;
  /** Of this device */
  participantId: string | null;
  /** Whether this device is the polite side towards all who are in it now */
  polite: boolean;
  /** The others */
  participants: (CallParticipant)[];
  /** For RTCPeerConnection, as they are */
  iceServers: (IceServer)[];
  /** Null: media goes from peer to peer */
  mediaServer: MediaServer | null;
};

export type CallAccept = {
  callId: string;
  userId?: string;
  deviceId?: string | null;
};

export type CallAccepted = {
  callId: string;
  conversationId: string;
  participantId: string;
  userId: string;
  answeredAt: string;
};

export type CallAnsweredElsewhere = {
  callId: string;
  conversationId: string;
  answer: "accepted" | "declined";
};

export type CallDecline = {
  callId: string;
  userId?: string;
};

export type CallEnded = {
  callId: string;
  conversationId: string;
  reason: "hangup" | "missed" | "declined" | "busy" | "failed";
  durationMs: number;
};

export type CallHangup = {
  callId: string;
  userId?: string;
};

export type CallMedia = {
  callId: string;
  userId?: string;
  audio: boolean;
  video: boolean;
  screen?: boolean;
};

export type CallMediaShown = {
  callId: string;
  conversationId: string;
  participantId: string;
  userId: string;
  audio: boolean;
  video: boolean;
  screen: boolean;
};

export type CallParticipant = {
  /** What call_signal's `to` takes */
  participantId: string;
  userId: string;
  /** By the order of joining */
  number: number;
  /** Whether you are the polite side towards this participant */
  polite: boolean;
  audio: boolean;
  video: boolean;
  screen: boolean;
};

export type CallParticipantJoined = {
  callId: string;
  conversationId: string;
  participant: CallParticipant;
};

export type CallParticipantLeft = {
  callId: string;
  conversationId: string;
  participantId: string;
  userId: string;
  reason: "hangup" | "lost" | "removed" | "replaced";
};

export type CallRinging = {
  callId: string;
  conversationId: string;
  /** Empty in a private conversation */
  conversationName: string;
  isGroup: boolean;
  media: "audio" | "video";
  caller: Sender;
  startedAt: string;
  ringsUntil: string;
};

export type CallSignal = {
  callId: string;
  userId?: string;
  to: string;
  description?: Description;
  candidate?: Candidate | null;
};

export type CallSignalled = {
  callId: string;
  /** The sender's participantId */
  from: string;
  /** Grows with each signal of this sender to you: drop what is not higher than the last */
  seq: number;
  description: SessionDescription | null;
  /** Null without a description: there are no more candidates */
  candidate: IceCandidate | null;
};

export type CallStart = {
  conversationId: string;
  userId?: string;
  clientCallId: string;
  media: "audio" | "video";
  deviceId?: string | null;
};

export type CallSummary = {
  callId: string;
  state: "hangup" | "missed" | "declined" | "busy" | "failed";
  /** Milliseconds from the answer to the end */
  durationMs: number;
  media: "audio" | "video";
  /** Ids of those who were in it */
  tookPart: (string)[];
};

export type Candidate = {
  candidate: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
  usernameFragment?: string | null;
};

export type Change = {
  rev: number;
  type: "message" | "edit" | "delete" | "read" | "members" | "details" | "purge";
  /** message, edit, delete: the message as it is now */
  message: Message | null;
  read: ReadChange | null;
  members: MembersChange | null;
  details: DetailsChange | null;
  /** purge: all messages up to it are gone for good */
  throughSeq: number | null;
};

export type ChangeWebhook = {
  url?: string;
  description?: string;
  /** Empty: all of them */
  eventTypes?: ("user.created" | "conversation.created" | "conversation.participants_changed" | "message.sent" | "message.edited" | "message.deleted" | "message.read" | "file.uploaded" | "call.ended")[];
  enabled?: boolean;
};

export type Changes = {
  conversationId: string;
  /** Ask for what came after it next time */
  rev: number;
  changes: (Change)[];
  hasMore: boolean;
  /** Some changes are gone for good: forget the conversation, then apply */
  truncated: boolean;
};

export type Conversation = {
  id: string;
  type: "private" | "group";
  name: string | null;
  description: string | null;
  participants: (string)[];
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  /** Preview, 100 characters */
  lastMessage: string | null;
  lastMessageAt: string | null;
  lastSeq: number;
  /** Number of the newest durable change, for `sync` */
  rev: number;
};

export type ConversationDeleted = {
  /** For people, in the document's words */
  message: string;
  deletedMessagesCount: number;
};

export type Conversations = {
  conversations: (InboxEntry)[];
};

export type CreateConversation = {
  type: "private" | "group";
  name?: string | null;
  description?: string | null;
  participants: (string)[];
  createdBy: string;
};

export type CreateGroup = {
  name: string;
  description?: string | null;
  participants: (string)[];
  createdBy?: string;
};

export type CreateWebhook = {
  url: string;
  description?: string;
  /** Empty: all of them */
  eventTypes?: ("user.created" | "conversation.created" | "conversation.participants_changed" | "message.sent" | "message.edited" | "message.deleted" | "message.read" | "file.uploaded" | "call.ended")[];
};

export type DeleteMessage = {
  messageId: string;
  userId?: string;
};

export type DeletedCount = {
  /** For people, in the document's words */
  message: string;
  deletedCount: number;
};

export type Deliveries = {
  deliveries: (Delivery)[];
};

export type Delivery = {
  id: string;
  /** The header webhook-id */
  eventId: string;
  eventType: "user.created" | "conversation.created" | "conversation.participants_changed" | "message.sent" | "message.edited" | "message.deleted" | "message.read" | "file.uploaded" | "call.ended" | "webhook.test";
  attempt: number;
  at: string;
  /** failed is tried again, exhausted is not */
  outcome: "delivered" | "failed" | "exhausted";
  /** Null when there was no answer */
  status: number | null;
  error: string | null;
  durationMs: number;
  nextAttemptAt: string | null;
};

export type Description = {
  type: "offer" | "answer" | "pranswer" | "rollback";
  sdp?: string;
};

export type DetailsChange = {
  name: string | null;
  description: string | null;
  by: string;
  timestamp: string;
};

export type EditMessage = {
  messageId: string;
  /** At most 16384 bytes in UTF-8 */
  newContent: string;
  userId?: string;
};

export type ErrorEvent = {
  code: string;
  message: string;
  details: Record<string, unknown>;
  /** Only when rate limited: milliseconds to wait */
  retryAfterMs?: number;
  /** The client's event that failed */
  event: string;
};

export type Event = {
  id: string;
  event: "user.created" | "conversation.created" | "conversation.participants_changed" | "message.sent" | "message.edited" | "message.deleted" | "message.read" | "file.uploaded" | "call.ended";
  /** As in the webhook's body */
  data: Record<string, unknown>;
  timestamp: string;
};

export type Events = {
  events: (Event)[];
  /** Ask for what came `after` it next time */
  cursor: string;
  hasMore: boolean;
};

export type Failure = {
  code: string;
  message: string;
  details: Record<string, unknown>;
  /** Only when rate limited: milliseconds to wait */
  retryAfterMs?: number;
};

export type FileLink = {
  url: string;
  signedUrl: string | null;
  expiresAt: string | null;
  code: string | null;
};

export type FileLinks = {
  links: (FileLink)[];
};

export type FileLinksBody = {
  urls: (string)[];
};

export type GroupDeleted = {
  conversationId: string;
  conversationName: string;
  deletedMessagesCount: number;
  timestamp: string;
};

export type GroupLeft = {
  conversationId: string;
  conversationName: string;
  userId: string;
  userName: string;
  leftBy: string;
  timestamp: string;
  ownershipTransferred: boolean;
  newOwnerId: string | null;
  newOwnerName: string | null;
  groupDeleted: boolean;
  deletedMessagesCount: number;
};

export type GroupUpdated = {
  conversationId: string;
  conversationName: string;
  description: string | null;
  updatedBy: string;
  timestamp: string;
};

export type GroupWithAdded = {
  id: string;
  type: "private" | "group";
  name: string | null;
  description: string | null;
  participants: (string)[];
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  /** Preview, 100 characters */
  lastMessage: string | null;
  lastMessageAt: string | null;
  lastSeq: number;
  /** Number of the newest durable change, for `sync` */
  rev: number;
  addedUsers: (string)[];
};

export type Health = {
  status: "ok" | "unavailable";
};

export type HttpError = {
  statusCode: number;
  /** The status's HTTP phrase */
  error: string;
  /** Stable, for programs */
  code: string;
  /** For people: Spanish, or English on request */
  message: string;
  details: Record<string, unknown>;
  requestId: string;
};

export type IceCandidate = {
  candidate: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
  usernameFragment?: string | null;
};

export type IceServer = {
  urls: (string)[];
  username?: string;
  credential?: string;
};

export type InboxEntry = {
  id: string;
  type: "private" | "group";
  name: string | null;
  description: string | null;
  participants: (string)[];
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  /** Preview, 100 characters */
  lastMessage: string | null;
  lastMessageAt: string | null;
  lastSeq: number;
  /** Number of the newest durable change, for `sync` */
  rev: number;
  unreadCount: number;
  lastReadAt: string | null;
  lastReadSeq: number;
};

export type JoinRoom = {
  conversationId: string;
  userId?: string;
};

export type KnownConversation = {
  conversationId: string;
  rev: number;
};

export type LeaveGroup = {
  conversationId: string;
  userId?: string;
};

export type LeaveRoom = {
  conversationId: string;
  userId?: string;
};

export type MarkAsRead = {
  conversationId: string;
  userId?: string;
};

export type MediaServer = {
  /** Of the LiveKit server */
  url: string;
  /** Lets this participant into the call's room there */
  token: string;
};

export type MembersChange = {
  action: "add" | "remove";
  userIds: (string)[];
  by: string;
  newOwnerId: string | null;
  timestamp: string;
};

export type Message = {
  id: string;
  conversationId: string;
  seq: number;
  senderId: string;
  recipientId: string | null;
  content: string;
  messageType: "text" | "file" | "audio" | "call";
  fileUrl: string | null;
  fileName: string | null;
  fileSize: number | null;
  fileType: string | null;
  thumbnailUrl: string | null;
  replyTo: string | null;
  replyPreview: string | null;
  isReply: boolean;
  isEdited: boolean;
  editedAt: string | null;
  isDeleted: boolean;
  timestamp: string;
  createdAt: string;
  sender: Sender;
  clientMessageId: string | null;
  /** Of a message of type call: what became of it */
  call: CallSummary | null;
};

export type MessageDeleted = {
  messageId: string;
  conversationId: string;
  seq: number;
};

export type MessageWithReplies = {
  id: string;
  conversationId: string;
  seq: number;
  senderId: string;
  recipientId: string | null;
  content: string;
  messageType: "text" | "file" | "audio" | "call";
  fileUrl: string | null;
  fileName: string | null;
  fileSize: number | null;
  fileType: string | null;
  thumbnailUrl: string | null;
  replyTo: string | null;
  replyPreview: string | null;
  isReply: boolean;
  isEdited: boolean;
  editedAt: string | null;
  isDeleted: boolean;
  timestamp: string;
  createdAt: string;
  sender: Sender;
  clientMessageId: string | null;
  /** Of a message of type call: what became of it */
  call: CallSummary | null;
  replies: (Message)[];
  repliesCount: number;
};

export type MessagesRead = {
  conversationId: string;
  userId: string;
  timestamp: string;
  lastReadSeq: number;
};

export type Notice = {
  /** For people, in the document's words */
  message: string;
};

export type PaginationMetadata = {
  /** Total number of items. */
  total?: number;
  /** Total number of pages. */
  total_pages?: number;
  /** First available page number. */
  first_page?: number;
  /** Last available page number. */
  last_page?: number;
  /** Current page number. */
  page?: number;
  /** Previous page number. */
  previous_page?: number;
  /** Next page number. */
  next_page?: number;
};

export type ParticipantMark = {
  userId: string;
  lastReadSeq: number;
  lastReadAt: string | null;
};

export type ParticipantsAdded = {
  id: string;
  type: "private" | "group";
  name: string | null;
  description: string | null;
  participants: (string)[];
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  /** Preview, 100 characters */
  lastMessage: string | null;
  lastMessageAt: string | null;
  lastSeq: number;
  /** Number of the newest durable change, for `sync` */
  rev: number;
  addedUsers: (string)[];
  /** Only with the older body */
  success?: boolean;
  /** Only with the older body */
  conversationId?: string;
  /** Only with the older body */
  userId?: string;
};

export type ParticipantsBody = {
  participants?: (string)[];
  userId?: string;
  addedBy?: string;
};

export type ParticipantsUpdated = {
  conversationId: string;
  conversationName: string;
  participants: (string)[];
  participantCount: number;
  updatedAt: string;
  action: "add" | "remove";
  affectedUsers: (string)[];
  updatedBy: string;
};

export type ReadChange = {
  userId: string;
  lastReadSeq: number;
  timestamp: string;
};

export type ReadMarks = {
  conversationId: string;
  /** Of each participant */
  readMarks: (ParticipantMark)[];
};

export type ReaderBody = {
  userId: string;
};

export type Readiness = {
  status: "ok" | "unavailable";
  /** Each engine's name, and "ok" or what is wrong with it */
  checks: Record<string, string>;
};

export type RefreshToken = {
  token: string;
};

export type Refusal = {
  ok: false;
  error: Failure;
};

export type Replay = {
  ids?: (string)[];
  from?: string;
  /** Without it: now */
  to?: string;
};

export type Replayed = {
  /** How many are told again */
  events: number;
};

export type Replies = {
  messageId: string;
  replies: (Message)[];
  repliesCount: number;
};

export type ReplySent = {
  messageId: string;
  conversationId: string;
  timestamp: string;
};

export type Revocation = {
  /** Null: everybody's */
  userId: string | null;
  before: string;
};

export type RevokeTokens = {
  userId?: string | null;
  before?: string | null;
};

export type RoomMember = {
  conversationId: string;
  userId: string;
};

export type RoomState = {
  conversationId: string;
  lastSeq: number;
  rev: number;
  lastReadSeq: number;
  unreadCount: number;
};

export type SaveUser = {
  id?: string | null;
  name: string;
  email: string;
  roles?: (string)[] | null;
  filials?: (string)[] | null;
  avatar?: string | null;
  status?: "online" | "offline" | "away" | "busy" | null;
  lastSeen?: string | null;
  isActive?: boolean | null;
  isOnline?: boolean | null;
  createdAt?: string | null;
  updatedAt?: string | null;
};

export type SendMessage = {
  conversationId: string;
  senderId?: string;
  recipientId?: string | null;
  /** At most 16384 bytes in UTF-8 */
  content?: string | null;
  messageType?: "text" | "file" | "audio";
  fileUrl?: string | null;
  fileName?: string | null;
  fileSize?: number | null;
  fileType?: string | null;
  replyTo?: string | null;
  clientMessageId?: string | null;
};

export type SendReply = {
  conversationId: string;
  senderId?: string;
  recipientId?: string | null;
  /** At most 16384 bytes in UTF-8 */
  content?: string | null;
  messageType?: "text" | "file" | "audio";
  fileUrl?: string | null;
  fileName?: string | null;
  fileSize?: number | null;
  fileType?: string | null;
  replyTo: string;
  clientMessageId?: string | null;
};

export type Sender = {
  id: string;
  name: string;
  avatar: string | null;
};

export type ServerDraining = {
  /** Milliseconds until this socket is closed; at random for each */
  reconnectInMs: number;
};

export type SessionDescription = {
  type: string;
  sdp: string;
};

export type SignalSent = {
  seq: number;
};

export type StartTyping = {
  conversationId: string;
  userId?: string;
  userName?: string | null;
};

export type StopTyping = {
  conversationId: string;
  userId?: string;
  userName?: string | null;
};

export type Sync = {
  conversations: (Synced)[];
};

export type SyncRequest = {
  conversations: (KnownConversation)[];
  userId?: string;
};

export type Synced = {
  conversationId: string;
  /** Ask for what came after it next time */
  rev: number;
  changes: (Change)[];
  hasMore: boolean;
  /** Some changes are gone for good: forget the conversation, then apply */
  truncated: boolean;
  /** Why there are no changes */
  error: Failure | null;
};

export type TokenExpired = {
  /** token_expired or token_revoked */
  code: string;
};

export type TokenExpiring = {
  /** Milliseconds until this connection is closed */
  inMs: number;
};

export type TokenRefreshed = {
  /** Null in open mode */
  expiresAt: string | null;
};

export type Typing = {
  conversationId: string;
  userId: string;
  userName: string;
  isTyping: boolean;
};

export type UnreadGroup = {
  conversationId: string;
  messageId: string;
  senderId: string;
  senderName: string;
  senderAvatar: string | null;
  messagePreview: string;
  timestamp: string;
  unreadCount: number;
  conversationName: string;
};

export type UnreadPrivate = {
  conversationId: string;
  messageId: string;
  senderId: string;
  senderName: string;
  senderAvatar: string | null;
  messagePreview: string;
  timestamp: string;
  unreadCount: number;
};

export type UpdateGroup = {
  name?: string;
  description?: string | null;
  userId?: string;
  conversationId: string;
};

export type UpdateGroupBody = {
  name?: string;
  description?: string | null;
  userId?: string;
};

export type Uploaded = {
  fileUrl: string;
  fileName: string;
  fileSize: number;
  fileType: string;
  thumbnailUrl: string | null;
  messageId: string | null;
  conversationId: string | null;
  senderId: string | null;
  timestamp: string | null;
  isReply: boolean;
  replyTo: string | null;
};

export type User = {
  id: string;
  name: string;
  email: string;
  roles: (string)[];
  filials: (string)[];
  status: "online" | "offline" | "away" | "busy";
  lastSeen: string;
  avatar: string | null;
  createdAt: string;
  updatedAt: string;
  isActive: boolean;
  isOnline: boolean;
};

export type UserConnected = {
  user: User;
  userId: string;
  name: string;
  email: string;
  status: "online" | "offline" | "away" | "busy";
};

export type UserDisconnected = {
  userId: string;
  lastSeen: string;
};

export type UserJoin = {
  userId: string;
  name: string;
  email: string;
  roles?: (string)[] | null;
  filials?: (string)[] | null;
  avatar?: string | null;
};

export type UserLeave = {
  userId?: string;
};

export type UserLeftGroup = {
  conversationId: string;
  conversationName: string;
  userId: string;
  userName: string;
  leftBy: string;
  timestamp: string;
  ownershipTransferred: boolean;
  newOwnerId: string | null;
  newOwnerName: string | null;
};

export type UserRemoved = {
  conversationId: string;
  conversationName: string;
  userId: string;
  userName: string;
  removedBy: string;
  removedByName: string;
  timestamp: string;
};

export type UserStatus = {
  userId: string;
  status: "online" | "offline" | "away" | "busy";
  lastSeen: string;
};

export type UserStatusRequest = {
  userId?: string;
  status: "online" | "offline" | "away" | "busy";
};

export type Users = {
  users: (User)[];
};

export type UsersAdded = {
  conversationId: string;
  conversationName: string;
  addedUsers: (string)[];
  addedBy: string;
  userId: string;
  updatedParticipants: (string)[];
  participantCount: number;
  timestamp: string;
};

export type Webhook = {
  id: string;
  url: string;
  description: string;
  /** Empty: all of them */
  eventTypes: (string)[];
  enabled: boolean;
  /** by_hand, gone (it answered 410) or failing (it took nothing for 76 hours) */
  disabledReason: string | null;
  /** For v1a signatures, the newest first */
  publicKeys: (string)[];
  createdAt: string;
  updatedAt: string;
  /** To a minute or so */
  lastSuccessAt: string | null;
};

export type WebhookDetails = {
  id: string;
  url: string;
  description: string;
  /** Empty: all of them */
  eventTypes: (string)[];
  enabled: boolean;
  /** by_hand, gone (it answered 410) or failing (it took nothing for 76 hours) */
  disabledReason: string | null;
  /** For v1a signatures, the newest first */
  publicKeys: (string)[];
  createdAt: string;
  updatedAt: string;
  /** To a minute or so */
  lastSuccessAt: string | null;
  backlog: Backlog;
};

export type WebhookWithSecret = {
  id: string;
  url: string;
  description: string;
  /** Empty: all of them */
  eventTypes: (string)[];
  enabled: boolean;
  /** by_hand, gone (it answered 410) or failing (it took nothing for 76 hours) */
  disabledReason: string | null;
  /** For v1a signatures, the newest first */
  publicKeys: (string)[];
  createdAt: string;
  updatedAt: string;
  /** To a minute or so */
  lastSuccessAt: string | null;
  /** For v1 signatures: whsec_…; nobody is shown it again */
  secret: string;
};

export type Webhooks = {
  webhooks: (Webhook)[];
};

/** What a client may send: an event's payload, and the data of its good acknowledgement. */
export interface ClientEvents {
  /** Come online as this user */
  user_join: { payload: UserJoin; data: User };
  /** Go on with a newer token of the same user */
  refresh_token: { payload: RefreshToken; data: TokenRefreshed };
  /** Go offline; the connection stays */
  user_leave: { payload: UserLeave; data: null };
  /** Hear a conversation; only its participants may */
  join_room: { payload: JoinRoom; data: RoomState };
  /** Hear a conversation no more; membership stays */
  leave_room: { payload: LeaveRoom; data: null };
  /** Send a message, or a reply when replyTo is there */
  send_message: { payload: SendMessage; data: Message };
  /** Answer a message */
  send_reply: { payload: SendReply; data: Message };
  /** Correct an own text message within 15 minutes */
  edit_message: { payload: EditMessage; data: Message };
  /** Take back an own message */
  delete_message: { payload: DeleteMessage; data: MessageDeleted };
  /** I am writing; ends by itself after 3 s */
  typing_start: { payload: StartTyping; data: null };
  /** I am not writing any more */
  typing_stop: { payload: StopTyping; data: null };
  /** Show another status */
  user_status: { payload: UserStatusRequest; data: UserStatus };
  /** Everything in the conversation is read */
  mark_messages_as_read: { payload: MarkAsRead; data: MessagesRead };
  /** Create a group; its creator is a participant */
  create_group: { payload: CreateGroup; data: Conversation };
  /** Add participants to a group */
  add_user_to_group: { payload: AddUserToGroup; data: GroupWithAdded };
  /** Give a group another name or description */
  update_group: { payload: UpdateGroup; data: Conversation };
  /** Leave a group for good */
  leave_group: { payload: LeaveGroup; data: GroupLeft };
  /** What has changed durably in these conversations since I saw them last */
  sync: { payload: SyncRequest; data: Sync };
  /** Call the other participants of a conversation, or join the call it has */
  call_start: { payload: CallStart; data: Call };
  /** Answer a call, join it later, or come back to it after a lost connection */
  call_accept: { payload: CallAccept; data: Call };
  /** I do not want to be called; stops all my devices */
  call_decline: { payload: CallDecline; data: null };
  /** A WebRTC description or candidate for another participant */
  call_signal: { payload: CallSignal; data: SignalSent };
  /** What this device sends by now: sound, picture, screen */
  call_media: { payload: CallMedia; data: null };
  /** Leave the call with this device, or give up calling */
  call_hangup: { payload: CallHangup; data: null };
}

/** What the server sends. */
export interface ServerEvents {
  /** A user's first socket joined; to all other users */
  user_connected: UserConnected;
  /** A user's last socket has been gone for the grace period */
  user_disconnected: UserDisconnected;
  /** A user shows another status */
  user_status_update: UserStatus;
  /** A participant opened the conversation */
  user_joined: RoomMember;
  /** A participant closed the conversation */
  user_left: RoomMember;
  /** Somebody else in the room began or ceased to write */
  typing_indicator: Typing;
  /** A new message in the room */
  message_received: Message;
  /** A new message in the room that answers another */
  reply_received: Message;
  /** A message of the room has new content */
  message_edited: Message;
  /** A message of the room is a tombstone now */
  message_deleted: MessageDeleted;
  /** A private message for a participant outside the room; also once per conversation on user_join */
  unread_message_private: UnreadPrivate;
  /** A group message for a participant outside the room; also once per conversation on user_join */
  unread_message_group: UnreadGroup;
  /** To the reader's own devices: the read mark moved */
  messages_marked_as_read: MessagesRead;
  /** To the other participants: somebody's read mark moved */
  read_receipt: MessagesRead;
  /** To all participants of a new group */
  group_created: Conversation;
  /** To all participants, the new ones included */
  user_added_to_group: UsersAdded;
  /** To all participants on every change of members */
  group_participants_updated: ParticipantsUpdated;
  /** To all participants: the group has another name or description */
  group_updated: GroupUpdated;
  /** To the one who was taken out */
  user_removed_from_group: UserRemoved;
  /** To those who remain in the group */
  user_left_group: UserLeftGroup;
  /** To the own devices of the one who left */
  group_left: GroupLeft;
  /** To the last participants of a group that is gone with its messages */
  group_deleted: GroupDeleted;
  /** To all devices of those who are called, until ringsUntil; also to one that joins the chat meanwhile */
  call_ringing: CallRinging;
  /** To who called: the first has answered */
  call_accepted: CallAccepted;
  /** To the user's other devices, which stop ringing */
  call_answered_elsewhere: CallAnsweredElsewhere;
  /** To those in the call: a device has joined it, with which they are to connect */
  call_participant_joined: CallParticipantJoined;
  /** To those in the call, and to the one who is not in it any more */
  call_participant_left: CallParticipantLeft;
  /** To the others in the call: what a participant sends by now */
  call_media: CallMediaShown;
  /** To the participant's device: a WebRTC description or candidate from another */
  call_signal: CallSignalled;
  /** To all participants of the conversation: the call is over */
  call_ended: CallEnded;
  /** A send_reply was stored */
  reply_sent_success: ReplySent;
  /** A send_reply failed */
  reply_error: ActionError;
  /** An edit_message failed */
  edit_message_error: ActionError;
  /** A delete_message failed */
  delete_message_error: ActionError;
  /** A leave_group was carried out */
  leave_group_success: GroupLeft;
  /** A leave_group failed */
  leave_group_error: ActionError;
  /** An event without acknowledgement failed */
  error: ErrorEvent;
  /** This worker is being replaced or stopped: the socket goes on until it is closed, then the client connects anew */
  server_draining: ServerDraining;
  /** The connection's token is good for another minute at most; refresh_token goes on with a newer one */
  token_expiring: TokenExpiring;
  /** The connection's token is good no more, and the connection is closed */
  token_expired: TokenExpired;
}
