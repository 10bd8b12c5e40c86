import {
  to = gloo_virtual_mesh.prod
  identity = {
    name = "prod"
  }
}
