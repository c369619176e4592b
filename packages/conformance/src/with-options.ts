import { type AccessorOptions, type AccessorPlugin, defineAccessor, supportsOf } from '@vring/accessor'

/** The plugin as it is with these option values: what it supports, whatever is chosen. */
export function withOptions(plugin: AccessorPlugin, options: AccessorOptions): AccessorPlugin {
  const declared = plugin.options.map(({ supports: _, ...option }) => option)
  return defineAccessor({
    ...plugin,
    supports: supportsOf(plugin, options),
    options: declared,
    create: (context, given) => plugin.create(context, given),
  })
}
