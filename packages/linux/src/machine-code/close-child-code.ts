import { bytesOf } from './code-bytes.ts'

/**
 * Closes a descriptor in a child process that shares memory and descriptors with this one, by `process.arch`. Sources:
 * `machine-code/close-child-*.s`; a test assembles them again.
 */
export const CLOSE_CHILD_CODE: Readonly<Record<string, Uint8Array | undefined>> = {
  x64: bytesOf(
    'f30f1efa4189f831ff488d3560000000488d5424f041ba08000000b80e0000000f05bf0005000031f631d24531d2b838' +
      '0000000f0585c074204989c1bf02000000488d7424f031d241ba08000000b80e0000000f054c89c8c34489c7b8030000' +
      '000f0531ffb83c0000000f05f40f1f00ffffffffffffffff',
  ),
  arm64: bytesOf(
    '5f2403d5e903002aff4300d1000080d2c1030010e2030091030180d2e81080d2010000d400a080d2010080d2020080d2' +
      '030080d2040080d2881b80d2010000d4600100b4ea0300aa400080d2e1030091020080d2030180d2e81080d2010000d4' +
      'e0030aaaff430091c0035fd6e003092a280780d2010000d4000080d2a80b80d2010000d4000020d4ffffffffffffffff',
  ),
}
