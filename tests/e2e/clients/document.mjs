// The document's own helper functions ("API REST con Axios"), word for word but for the base URL and one line:
// `GET /api/messages/:conversationId` answers an array, as the document's reference says and its guide does not.
import axios from 'axios';
import { BASE, recorded } from './harness.mjs';

export const api = axios.create({
  baseURL: `${BASE}/api`,
  timeout: 10000
});
recorded(api);

// Obtener usuarios
export const getUsers = async () => {
  try {
    const response = await api.get('/users');
    return response.data.users;
  } catch (error) {
    console.error('Error obteniendo usuarios:', error);
  }
};

// Crear usuario
export const createUser = async (userData) => {
  try {
    const response = await api.post('/users', userData);
    return response.data;
  } catch (error) {
    console.error('Error creando usuario:', error);
  }
};

// Crear conversación
export const createConversation = async (conversationData) => {
  try {
    const response = await api.post('/conversations', conversationData);
    return response.data;
  } catch (error) {
    console.error('Error creando conversación:', error);
  }
};

// Obtener conversaciones de usuario
export const getUserConversations = async (userId) => {
  try {
    const response = await api.get(`/conversations/user/${userId}`);
    return response.data.conversations;
  } catch (error) {
    console.error('Error obteniendo conversaciones:', error);
  }
};

// Obtener mensajes
export const getMessages = async (conversationId) => {
  try {
    const response = await api.get(`/messages/${conversationId}`);
    return response.data; // the guide: response.data.messages
  } catch (error) {
    console.error('Error obteniendo mensajes:', error);
  }
};

// Subir archivo
export const uploadFile = async (file) => {
  try {
    const formData = new FormData();
    formData.append('file', file);
    
    const response = await api.post('/upload', formData, {
      headers: {
        'Content-Type': 'multipart/form-data'
      }
    });
    return response.data;
  } catch (error) {
    console.error('Error subiendo archivo:', error);
  }
};
