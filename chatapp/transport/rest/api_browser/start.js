SwaggerUIBundle({
  url: '/api/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  layout: 'BaseLayout', // the standalone one has a bar for other documents, with styles of its own inline
  validatorUrl: null, // or it would show our document to a service elsewhere
});
