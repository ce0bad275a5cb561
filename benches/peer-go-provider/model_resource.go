package main

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type modelResource struct{ store *store }

type modelModel struct {
	ID          types.String           `tfsdk:"id"`
	Name        types.String           `tfsdk:"name"`
	Description types.String           `tfsdk:"description"`
	Owner       types.String           `tfsdk:"owner"`
	Task        types.String           `tfsdk:"task"`
	Tags        map[string]string      `tfsdk:"tags"`
	Metrics     map[string]metricModel `tfsdk:"metrics"`
	CreatedAt   types.String           `tfsdk:"created_at"`
}

type metricModel struct {
	Goal types.String  `tfsdk:"goal"`
	Min  types.Float64 `tfsdk:"min"`
	Max  types.Float64 `tfsdk:"max"`
	Unit types.String  `tfsdk:"unit"`
}

func newModelResource() resource.Resource { return &modelResource{} }

func (r *modelResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "peer_model"
}

func (r *modelResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	computed := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":         schema.StringAttribute{Computed: true, PlanModifiers: computed},
		"created_at": schema.StringAttribute{Computed: true, PlanModifiers: computed},
		"name": schema.StringAttribute{
			Required:      true,
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:    []validator.String{legalName{}},
		},
		"description": schema.StringAttribute{Optional: true},
		"owner":       schema.StringAttribute{Optional: true},
		"task":        schema.StringAttribute{Optional: true},
		"tags":        schema.MapAttribute{Optional: true, ElementType: types.StringType},
		"metrics": schema.MapNestedAttribute{Optional: true, NestedObject: schema.NestedAttributeObject{
			Attributes: map[string]schema.Attribute{
				"goal": schema.StringAttribute{Required: true},
				"min":  schema.Float64Attribute{Optional: true},
				"max":  schema.Float64Attribute{Optional: true},
				"unit": schema.StringAttribute{Optional: true},
			},
		}},
	}}
}

func (r *modelResource) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	if s, ok := req.ProviderData.(*store); ok {
		r.store = s
	}
}

func (r *modelResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan modelModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...); resp.Diagnostics.HasError() {
		return
	}
	plan.ID = plan.Name
	plan.CreatedAt = types.StringValue(time.Now().UTC().Format(time.RFC3339))
	if err := r.store.create(ctx, toRecord(plan)); err != nil {
		resp.Diagnostics.AddError("Cannot create model "+plan.Name.ValueString(), err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (r *modelResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state modelModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	row, err := r.store.read(ctx, state.ID.ValueString())
	if errors.Is(err, errNotFound) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot read model "+state.ID.ValueString(), err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, fromRecord(row))...)
}

func (r *modelResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan modelModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...); resp.Diagnostics.HasError() {
		return
	}
	if err := r.store.update(ctx, toRecord(plan)); err != nil {
		resp.Diagnostics.AddError("Cannot update model "+plan.Name.ValueString(), err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (r *modelResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state modelModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	if err := r.store.delete(ctx, state.ID.ValueString()); err != nil {
		resp.Diagnostics.AddError("Cannot delete model "+state.ID.ValueString(), err.Error())
	}
}

func (r *modelResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

func toRecord(m modelModel) record {
	row := record{
		Name:        m.Name.ValueString(),
		Description: m.Description.ValueStringPointer(),
		Owner:       m.Owner.ValueStringPointer(),
		Task:        m.Task.ValueStringPointer(),
		Tags:        m.Tags,
		CreatedAt:   m.CreatedAt.ValueString(),
	}
	if m.Metrics != nil {
		row.Metrics = make(map[string]metric, len(m.Metrics))
	}
	for name, v := range m.Metrics {
		row.Metrics[name] = metric{v.Goal.ValueString(), v.Min.ValueFloat64Pointer(), v.Max.ValueFloat64Pointer(), v.Unit.ValueStringPointer()}
	}
	return row
}

func fromRecord(row record) modelModel {
	m := modelModel{
		ID:          types.StringValue(row.Name),
		Name:        types.StringValue(row.Name),
		Description: types.StringPointerValue(row.Description),
		Owner:       types.StringPointerValue(row.Owner),
		Task:        types.StringPointerValue(row.Task),
		Tags:        row.Tags,
		CreatedAt:   types.StringValue(row.CreatedAt),
	}
	if row.Metrics != nil {
		m.Metrics = make(map[string]metricModel, len(row.Metrics))
	}
	for name, v := range row.Metrics {
		m.Metrics[name] = metricModel{types.StringValue(v.Goal), types.Float64PointerValue(v.Min), types.Float64PointerValue(v.Max), types.StringPointerValue(v.Unit)}
	}
	return m
}

// legalName is the one check that a plan makes, as mlops_model's does.
type legalName struct{}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func (legalName) Description(context.Context) string {
	return "1 to 128 letters, digits, dots, dashes, underscores"
}

func (v legalName) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v legalName) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || namePattern.MatchString(req.ConfigValue.ValueString()) {
		return
	}
	resp.Diagnostics.AddAttributeError(req.Path, "Illegal model name", v.Description(ctx))
}
