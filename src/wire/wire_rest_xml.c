/* wire_rest_xml.c -- the protocol rest-xml: rest.h with bodies of XML.
 *
 * An answer's root element is named for the payload's member or shape, or for the output; S3 has names of its own (OUTPUT_ROOTS
 * in tools/gen_api.py), and bare errors. A document with an element of another name is read all the same, as AWS does.
 * Source: "AWS restXml protocol" of Smithy; "REST error responses" of S3's API reference. */
#include "wire/rest.h"
#include "wire/xml_tree.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static struct json *read_xml_body(struct call *call, const struct model_shape *shape)
{
    struct xml_node *root = NULL;
    enum err err = xml_parse(wire_body(call), call->arena, &root);
    if (err != ERR_OK) {
        wire_fail_parse(call, err);
        return NULL;
    }
    return xml_tree_bind(call, shape, root);
}

static struct str root_attributes(struct call *call, struct xml_writer *w, const struct model_member *payload,
                                  const struct model_shape *shape, const struct json *tree)
{
    const struct model *m = call->api->model;
    struct str own = xml_tree_attributes(w, m, payload, shape, tree);
    bool spaced = (payload && payload->xml_namespace) || shape->xml_namespace || !m->xml_namespace;
    return spaced ? own : arena_printf(call->arena, " xmlns=\"%s\"" STR_FMT, m->xml_namespace, STR_ARG(own));
}

static struct str root_name(const struct call *call, const struct model_member *payload, const struct model_shape *shape)
{
    const struct model *m = call->api->model;
    if (payload && payload->wire != payload->name)
        return model_member_wire(m, payload);
    if (!payload && call->operation->output_root)
        return str_of(model_text(m, call->operation->output_root));
    return str_of(model_text(m, shape->wire ? shape->wire : shape->name));
}

/* The only member of S3's GetBucketLocation is the root itself. */
static void write_bare(struct call *call, struct xml_writer *w, const struct model_shape *shape, const struct json *tree)
{
    const struct model *m = call->api->model;
    const struct model_member *member = &m->members[shape->members];
    const struct json *node = json_get(tree, model_member_name(m, member));
    struct str space = m->xml_namespace ? arena_printf(call->arena, " xmlns=\"%s\"", m->xml_namespace) : STR_NONE;
    if (node)
        xml_leaf(w, model_member_wire(m, member), space, node->text);
    else
        xml_empty(w, model_member_wire(m, member), space);
}

static void write_xml_body(struct call *call, struct buf *body, const struct model_member *payload, const struct model_shape *shape,
                           const struct json *tree)
{
    struct xml_writer w = {.body = body};
    struct str name = root_name(call, payload, shape);
    buf_lit(body, DECLARATION);
    if (!payload && call->operation->flags & MODEL_OP_BARE_OUTPUT) {
        write_bare(call, &w, shape, tree);
        return;
    }
    xml_open(&w, name, root_attributes(call, &w, payload, shape, tree));
    xml_tree_members(&w, call->api->model, shape, tree);
    xml_close(&w, name);
}

static const struct rest_format xml_format = {"application/xml", read_xml_body, write_xml_body};

static void rest_xml_read(struct call *call)
{
    rest_read(call, &xml_format);
}

static bool has_xml_body(const struct call *call, const struct model_shape *shape)
{
    const struct model *m = call->api->model;
    for (size_t i = 0; i < shape->member_count; i++)
        if (m->members[shape->members + i].location == MODEL_IN_BODY)
            return true;
    return false;
}

/* An output without members for the body has none. */
static void rest_xml_write(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model_shape *shape = model_output(call->api->model, call->operation);
    if (shape && !shape->payload && !has_xml_body(call, shape))
        rest_write_located(call, shape, call->output, response);
    else
        rest_write(call, body, response, &xml_format);
}

/* Code, message and further members, as each form of an error has them. */
static void write_error_members(struct call *call, struct xml_writer *w, const struct model_shape *shape)
{
    const struct model *m = call->api->model;
    const char *code = shape && shape->error_code ? model_text(m, shape->error_code) : call->error_code;
    xml_leaf(w, STR("Code"), STR_NONE, str_of(code));
    if (call->error_message.p)
        xml_leaf(w, STR("Message"), STR_NONE, call->error_message);
    if (shape && call->error_fields)
        xml_tree_members(w, m, shape, call->error_fields);
}

static void rest_xml_write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    struct xml_writer w = {.body = body};
    if (shape && call->error_fields)
        rest_write_located(call, shape, call->error_fields, response);
    wire_header(call, response, "Content-Type", STR("application/xml"));
    buf_lit(body, DECLARATION);
    if (m->bare_errors) {
        xml_open(&w, STR("Error"), STR_NONE);
        write_error_members(call, &w, shape);
        xml_leaf(&w, STR("RequestId"), STR_NONE, call->request_id);
        xml_close(&w, STR("Error"));
        return;
    }
    struct str space = m->xml_namespace ? arena_printf(call->arena, " xmlns=\"%s\"", m->xml_namespace) : STR_NONE;
    xml_open(&w, STR("ErrorResponse"), space);
    xml_open(&w, STR("Error"), STR_NONE);
    xml_leaf(&w, STR("Type"), STR_NONE, call->error_status < 500 ? STR("Sender") : STR("Receiver"));
    write_error_members(call, &w, shape);
    xml_close(&w, STR("Error"));
    xml_leaf(&w, STR("RequestId"), STR_NONE, call->request_id);
    xml_close(&w, STR("ErrorResponse"));
}

static void rest_xml_write_tree(struct call *call, struct buf *body, const struct model_shape *shape, const struct json *tree)
{
    const struct model *m = call->api->model;
    struct xml_writer w = {.body = body};
    struct str name = str_of(model_text(m, shape->wire ? shape->wire : shape->name));
    xml_open(&w, name, xml_tree_attributes(&w, m, NULL, shape, tree));
    xml_tree_members(&w, m, shape, tree);
    xml_close(&w, name);
}

static struct str rest_xml_tree_type(const struct call *call)
{
    (void)call;
    return STR("text/xml");
}

const struct wire_protocol wire_rest_xml = {rest_owns,      rest_find,           rest_xml_read,     rest_xml_write,
                                            rest_xml_write_error, rest_xml_write_tree, rest_xml_tree_type};
