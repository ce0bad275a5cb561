package main

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type peerProvider struct{}

type providerModel struct {
	Path types.String `tfsdk:"path"`
}

func newProvider() provider.Provider { return &peerProvider{} }

func (p *peerProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "peer"
}

func (p *peerProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"path": schema.StringAttribute{Optional: true, Description: "SQLite file; .peer/registry.db by default."},
	}}
}

func (p *peerProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var config providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	path := config.Path.ValueString()
	if path == "" {
		path = ".peer/registry.db"
	}
	resp.ResourceData = &store{path: path}
}

func (p *peerProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newModelResource}
}

func (p *peerProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }
