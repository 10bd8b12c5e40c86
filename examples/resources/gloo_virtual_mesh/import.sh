# The id is the name of the mesh.
terraform import gloo_virtual_mesh.prod prod
