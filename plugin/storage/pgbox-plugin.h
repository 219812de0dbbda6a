#ifndef PGBOX_PLUGIN_H
#define PGBOX_PLUGIN_H

struct module;

extern const char *pgbox_plugin_version;

void pgbox_plugin_init(struct module *module);
void pgbox_plugin_deinit(void);

#endif
