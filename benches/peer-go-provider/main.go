// A minimal provider on HashiCorp's terraform-plugin-framework, for comparison in `make bench`.
//
// It has one resource, peer_model, with the attributes of a simple mlops_model, and keeps one row for each in SQLite with
// the same durability (write-ahead log, synchronous=FULL). It is written the way the framework's tutorial writes providers:
// no tuning for or against it.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
)

func main() {
	opts := providerserver.ServeOpts{Address: "registry.terraform.io/mlops-rs/peer", ProtocolVersion: 6}
	if err := providerserver.Serve(context.Background(), newProvider, opts); err != nil {
		log.Fatal(err)
	}
}
