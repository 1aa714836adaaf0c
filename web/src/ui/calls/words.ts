import type { EndReason } from '../../state/calls/call';
import type { Device, MediaFailure, MediaProblem } from '../../state/calls/local_media';
import type { NetworkProblem } from '../../state/calls/network_check';
import type { Quality } from '../../state/calls/quality';
import type { MediaServerFailure } from '../../state/calls/room_link';
import type { Language } from '../../state/preferences';
import { language } from '../i18n';

/** Texts of a call. They are loaded with it. */
const en = {
  call: 'Call',
  asking: 'Waiting for your microphone…',
  askingText: 'If your browser asks, allow it.',
  outgoing: 'Ringing…',
  connecting: 'Connecting…',
  reconnecting: 'Connection lost. Trying again…',
  connected: 'Connected',
  alone: 'Waiting for the others…',
  mute: 'Mute microphone',
  unmute: 'Turn microphone on',
  cameraOn: 'Turn camera on',
  cameraOff: 'Turn camera off',
  share: 'Share screen',
  stopSharing: 'Stop sharing',
  devices: 'Devices',
  pip: 'Picture in picture',
  minimise: 'Back to the chat',
  maximise: 'Show the call',
  hangUp: 'Hang up',
  cancel: 'Cancel call',
  close: 'Close',
  again: 'Call again',
  retry: 'Try again',
  you: 'You',
  isMuted: (name: string) => `${name} is muted`,
  screenOf: (name: string) => `Screen of ${name}`,
  yourScreen: 'You are sharing your screen',
  pictureOf: (name: string) => `Camera of ${name}`,
  isLost: 'Reconnecting…',
  isConnecting: 'Connecting…',
  quality: { good: 'Good connection', fair: 'Weak connection', poor: 'Bad connection' } as Record<Quality, string>,
  speaker: 'Speaker',
  standard: 'Default',
  preview: 'Preview of your camera',
  level: 'Level of your microphone',
  done: 'Done',
  signallingLost: 'No connection to the chat. The call goes on.',
  after: (duration: string) => `The call lasted ${duration}.`,
  ended: {
    hangup: 'Call ended', missed: 'No answer', declined: 'Call declined', busy: 'Busy',
    failed: 'The call broke off', lost: 'The connection was lost', removed: 'You are no longer in this call',
    replaced: 'The call goes on at your other device', error: 'The call did not come about',
  } as Record<EndReason, string>,
  endedText: {
    busy: 'They are in another call.', missed: 'Nobody answered.', failed: 'The others could not be reached any more.',
  } as Partial<Record<EndReason, string>>,
  media: {
    insecure: 'Browsers give microphone and camera only to pages that come over https. Ask whoever runs this chat for its https address.',
    absent: 'None was found. Plug one in, or switch it on, and try again.',
    denied: 'Your browser does not let this page use it. Allow it with the symbol beside the address, and try again.',
    'in-use': 'Another program is using it. Close that one, and try again.',
    unknown: 'The browser could not open it.',
  } as Record<MediaFailure, string>,
  device: { microphone: 'Microphone', camera: 'Camera', screen: 'Screen' } as Record<Device, string>,
  network: {
    'udp-blocked': 'Your network blocks the way that calls take (UDP). Try another network, such as your phone’s.',
    'turn-unreachable': 'The relay for calls (TURN) cannot be reached from here. Try another network, or tell whoever runs this chat.',
    'turn-refused': 'The relay for calls (TURN) refuses us: its secret is not this server’s. Tell whoever runs this chat.',
  } as Record<NetworkProblem, string>,
  mediaServer: {
    'media-server-unreachable': 'The server for large calls cannot be reached from here. It is tried again; if it stays so, tell whoever runs this chat.',
    'media-server-refused': 'The server for large calls refuses us: its key is not this server’s. Tell whoever runs this chat.',
  } as Record<MediaServerFailure, string>,
};

export type CallWords = typeof en;

const es: CallWords = {
  call: 'Llamada',
  asking: 'Esperando tu micrófono…',
  askingText: 'Si el navegador lo pregunta, permítelo.',
  outgoing: 'Llamando…',
  connecting: 'Conectando…',
  reconnecting: 'Se perdió la conexión. Reintentando…',
  connected: 'Conectada',
  alone: 'Esperando a los demás…',
  mute: 'Silenciar el micrófono',
  unmute: 'Activar el micrófono',
  cameraOn: 'Encender la cámara',
  cameraOff: 'Apagar la cámara',
  share: 'Compartir la pantalla',
  stopSharing: 'Dejar de compartir',
  devices: 'Dispositivos',
  pip: 'Imagen en imagen',
  minimise: 'Volver al chat',
  maximise: 'Mostrar la llamada',
  hangUp: 'Colgar',
  cancel: 'Cancelar la llamada',
  close: 'Cerrar',
  again: 'Llamar de nuevo',
  retry: 'Reintentar',
  you: 'Tú',
  isMuted: (name) => `${name} tiene el micrófono apagado`,
  screenOf: (name) => `Pantalla de ${name}`,
  yourScreen: 'Estás compartiendo tu pantalla',
  pictureOf: (name) => `Cámara de ${name}`,
  isLost: 'Reconectando…',
  isConnecting: 'Conectando…',
  quality: { good: 'Buena conexión', fair: 'Conexión débil', poor: 'Mala conexión' },
  speaker: 'Altavoz',
  standard: 'Predeterminado',
  preview: 'Vista previa de tu cámara',
  level: 'Nivel de tu micrófono',
  done: 'Listo',
  signallingLost: 'Sin conexión con el chat. La llamada sigue.',
  after: (duration) => `La llamada duró ${duration}.`,
  ended: {
    hangup: 'Llamada terminada', missed: 'Sin respuesta', declined: 'Llamada rechazada', busy: 'Ocupado',
    failed: 'La llamada se interrumpió', lost: 'Se perdió la conexión', removed: 'Ya no estás en esta llamada',
    replaced: 'La llamada sigue en tu otro dispositivo', error: 'No se pudo hacer la llamada',
  },
  endedText: {
    busy: 'Está en otra llamada.', missed: 'Nadie contestó.', failed: 'Ya no se pudo alcanzar a los demás.',
  },
  media: {
    insecure: 'Los navegadores solo dan el micrófono y la cámara a páginas con https. Pide la dirección https a quien administra este chat.',
    absent: 'No se encontró ninguno. Conéctalo o enciéndelo y vuelve a intentarlo.',
    denied: 'Tu navegador no deja que esta página lo use. Permítelo con el símbolo junto a la dirección y vuelve a intentarlo.',
    'in-use': 'Otro programa lo está usando. Ciérralo y vuelve a intentarlo.',
    unknown: 'El navegador no pudo abrirlo.',
  },
  device: { microphone: 'Micrófono', camera: 'Cámara', screen: 'Pantalla' },
  network: {
    'udp-blocked': 'Tu red bloquea el camino de las llamadas (UDP). Prueba otra red, como la de tu teléfono.',
    'turn-unreachable': 'No se llega desde aquí al servidor que retransmite las llamadas (TURN). Prueba otra red o avisa a quien administra este chat.',
    'turn-refused': 'El servidor que retransmite las llamadas (TURN) nos rechaza: su secreto no es el de este servidor. Avisa a quien administra este chat.',
  },
  mediaServer: {
    'media-server-unreachable': 'No se llega desde aquí al servidor de llamadas grandes. Se sigue intentando; si no cambia, avisa a quien administra este chat.',
    'media-server-refused': 'El servidor de llamadas grandes nos rechaza: su clave no es la de este servidor. Avisa a quien administra este chat.',
  },
};

const pt: CallWords = {
  call: 'Chamada',
  asking: 'Aguardando seu microfone…',
  askingText: 'Se o navegador perguntar, permita.',
  outgoing: 'Chamando…',
  connecting: 'Conectando…',
  reconnecting: 'A conexão caiu. Tentando de novo…',
  connected: 'Conectada',
  alone: 'Aguardando os outros…',
  mute: 'Silenciar o microfone',
  unmute: 'Ativar o microfone',
  cameraOn: 'Ligar a câmera',
  cameraOff: 'Desligar a câmera',
  share: 'Compartilhar a tela',
  stopSharing: 'Parar de compartilhar',
  devices: 'Dispositivos',
  pip: 'Picture-in-picture',
  minimise: 'Voltar à conversa',
  maximise: 'Mostrar a chamada',
  hangUp: 'Desligar',
  cancel: 'Cancelar a chamada',
  close: 'Fechar',
  again: 'Ligar de novo',
  retry: 'Tentar de novo',
  you: 'Você',
  isMuted: (name) => `${name} está sem som`,
  screenOf: (name) => `Tela de ${name}`,
  yourScreen: 'Você está compartilhando sua tela',
  pictureOf: (name) => `Câmera de ${name}`,
  isLost: 'Reconectando…',
  isConnecting: 'Conectando…',
  quality: { good: 'Boa conexão', fair: 'Conexão fraca', poor: 'Conexão ruim' },
  speaker: 'Alto-falante',
  standard: 'Padrão',
  preview: 'Prévia da sua câmera',
  level: 'Nível do seu microfone',
  done: 'Pronto',
  signallingLost: 'Sem conexão com o chat. A chamada continua.',
  after: (duration) => `A chamada durou ${duration}.`,
  ended: {
    hangup: 'Chamada encerrada', missed: 'Sem resposta', declined: 'Chamada recusada', busy: 'Ocupado',
    failed: 'A chamada caiu', lost: 'A conexão foi perdida', removed: 'Você não está mais nesta chamada',
    replaced: 'A chamada continua no seu outro dispositivo', error: 'Não foi possível fazer a chamada',
  },
  endedText: {
    busy: 'A pessoa está em outra chamada.', missed: 'Ninguém atendeu.', failed: 'Não foi mais possível alcançar os outros.',
  },
  media: {
    insecure: 'Os navegadores só dão microfone e câmera a páginas com https. Peça o endereço https a quem administra este chat.',
    absent: 'Nenhum foi encontrado. Conecte ou ligue um e tente de novo.',
    denied: 'Seu navegador não deixa esta página usá-lo. Permita no símbolo ao lado do endereço e tente de novo.',
    'in-use': 'Outro programa está usando. Feche-o e tente de novo.',
    unknown: 'O navegador não conseguiu abrir.',
  },
  device: { microphone: 'Microfone', camera: 'Câmera', screen: 'Tela' },
  network: {
    'udp-blocked': 'Sua rede bloqueia o caminho das chamadas (UDP). Tente outra rede, como a do celular.',
    'turn-unreachable': 'O servidor que retransmite as chamadas (TURN) não pode ser alcançado daqui. Tente outra rede ou avise quem administra este chat.',
    'turn-refused': 'O servidor que retransmite as chamadas (TURN) nos recusa: o segredo dele não é o deste servidor. Avise quem administra este chat.',
  },
  mediaServer: {
    'media-server-unreachable': 'Daqui não se chega ao servidor de chamadas grandes. Continuamos tentando; se não mudar, avise quem administra este chat.',
    'media-server-refused': 'O servidor de chamadas grandes nos recusa: a chave dele não é a deste servidor. Avise quem administra este chat.',
  },
};

export const WORDS: Record<Language, CallWords> = { en, es, pt };

/** Which device it is, what is wrong with it, and what to do. */
export function mediaSentence({ device, failure }: MediaProblem): string {
  return `${words().device[device]}: ${words().media[failure]}`;
}

export function words(): CallWords {
  return WORDS[language()];
}
