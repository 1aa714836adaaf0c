/** The entry for other people's pages: `<script type="module" src="https://chat.example.com/client/embed.js">`. */
import { ChatappWidget } from './ui/widget/ChatappWidget';

const NAME = 'chatapp-widget';

if (!customElements.get(NAME)) customElements.define(NAME, ChatappWidget);
