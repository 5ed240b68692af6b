// The interactive API page. "Try it out" uses the signed-in session, so unsafe requests carry its CSRF token.
const element = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: element.dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  requestInterceptor(request) {
    request.headers["X-CSRFToken"] = element.dataset.csrfToken;
    return request;
  },
});
