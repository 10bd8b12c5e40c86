import {
  to = gloo_virtual_mesh.prod
  id = "prod"
}
