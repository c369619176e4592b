import { z } from 'zod'
import { PLACEMENTS } from '../placement/classes.ts'
import { parseShard, SHARD_ACCEPTED } from '../plan/parse-shard.ts'

/** Name and version of the result format. Readers refuse another one. */
export const RESULTS_SCHEMA = 'vring-bench/1'

const finite = z.number()
const count = z.number().int().min(0)

/** Of rates, times and ratios of them: at or below 0, or without end, one comes from no measurement. */
const positive = z.number({ error: aboveZero }).positive({ error: aboveZero })

/** A median and its bootstrap 95 % interval. */
const intervalSchema = z.object({ median: positive, low: positive, high: positive })

/** Where the cores of driver and device were; `mixed`: they were moved within the slice. */
const placementSchema = z.enum(PLACEMENTS)

/** One slice of time. Slices of one `round` ran one after the other, each cell and peer once. */
const sliceSchema = z.object({
  round: count,
  /** Slices of one sitting are of the same processes of driver and device; absent: all were. */
  sitting: count.optional(),
  mpps: positive,
  /** Round trip of a cache line between the two cores before and after it, ns; null: not measured. */
  beforeNs: positive.nullable(),
  afterNs: positive.nullable(),
  class: z.enum([...PLACEMENTS, 'mixed']),
})

/** The rate of one class; null: it did not occur in as many slices as a row needs. */
const classRateSchema = z.object({ mpps: intervalSchema.extend({ slices: count }) }).nullable()
const classesSchema = z.object({
  near: classRateSchema,
  between: classRateSchema,
  far: classRateSchema,
  /** All slices of a run in which no class has a rate. */
  unknown: classRateSchema,
})
const slicedSchema = {
  /** Of a driver on a core of its own; mixed slices are here and in no rate. */
  slices: z.array(sliceSchema).optional(),
  classes: classesSchema.optional(),
}

const measuredSchema = z.object({
  /** Million packets a second. */
  mpps: intervalSchema,
  /**
   * ns a packet over chunks of 4096 packets, or over slices with a real driver: medians over the trials. `trials` has
   * each trial's median chunk, in the order they ran: time that something else took from the CPU is in other chunks.
   */
  nsPerPacket: z.object({ median: positive, p99: positive, trials: z.array(positive).min(1).optional() }),
  /** Mpps of each trial, in the order they ran. */
  trials: z.array(positive).min(1),
  /** Packets of all trials. */
  packets: count,
  ...slicedSchema,
})

const modelledSchema = z.object({
  profile: z.string(),
  smap: z.enum(['off', 'on']),
  mpps: positive,
  /** ns a packet by cause. */
  parts: z.record(z.string(), finite).optional(),
  /** Steps that the profile has no price for: the rate is then an upper bound. */
  unpriced: z.array(z.string()).optional(),
})

const cellSchema = z.object({
  id: z.string(),
  accessor: z.string(),
  /** Options of the accessor; `{}` for none. */
  options: z.record(z.string(), z.string()),
  ring: z.string(),
  /** VIRTIO_F_IN_ORDER was negotiated. Absent: no. */
  inOrder: z.boolean().optional(),
  driver: z.string(),
  backend: z.string(),
  /** Bytes of the Ethernet frame, without virtio-net header and FCS; a mix has its mean. */
  frameBytes: positive,
  /** Entries. */
  queueSize: count,
  /** Buffers that the driver publishes at once. */
  batch: count,
  /** How payload reached the backend. */
  payload: z.string().optional(),
  /** What the experiment varied with `--sweep`, and this cell's value of it. */
  sweep: z.record(z.string(), z.union([z.string(), finite])).optional(),
  /** `floor`: not an accessor but the loop written out by hand, what no seam can beat. */
  role: z.enum(['accessor', 'floor']).optional(),
  measured: measuredSchema.nullable(),
  /** Per packet; absent for the floor. */
  steps: z.record(z.string(), finite),
  /** Per packet, of copying the payload as the kernel of the cell's era does. */
  payloadSteps: z.record(z.string(), finite).optional(),
  /**
   * Cache lines that move per packet with a driver on a core of its own: `<area>.toDevice`, `<area>.toDriver`.
   * `.upgrades` are lines that were there already and were taken from the other side to be written.
   */
  lines: z.record(z.string(), finite).optional(),
  modelled: z.array(modelledSchema),
  /** Accesses by `area.mode`. */
  accesses: z.record(z.string(), finite),
  /** Of delivered frames and verdict counts; equal across accessors, ring formats and orders for one seed. */
  hash: z.string().nullable(),
  /**
   * Of the used elements; equal across accessors over rings of one format and order. Null: of a real driver's ring, or
   * the floor's.
   */
  ringHash: z.string().nullable().optional(),
  /** Names of the virtio features that driver and device negotiated. */
  features: z.array(z.string()).optional(),
  /** Largest resident set of the cell's process, bytes. */
  residentBytes: count.optional(),
  /** Of a cell with a plugin: what the conformance kit found under the cell's options. Absent: all of it is built in. */
  conformance: z.object({ cases: count, failed: count, causes: z.array(z.string()) }).optional(),
  /** Why the cell has no result. */
  failure: z.string().optional(),
})

const peerSchema = z.object({
  name: z.string(),
  version: z.string(),
  role: z.string(),
  mpps: intervalSchema,
  trials: z.array(positive),
  /** Cells that were measured in turn with it: their rate through its rate, with interval; of slices for each class. */
  ratios: z
    .array(
      z.object({
        cell: z.string(),
        ratio: intervalSchema,
        class: placementSchema.optional(),
        /** Rounds in which both had a slice of the class. */
        slices: count.optional(),
      }),
    )
    .optional(),
  features: z.array(z.string()).optional(),
  /** Of a peer that serves a driver: its ring. */
  ring: z.string().optional(),
  inOrder: z.boolean().optional(),
  ...slicedSchema,
})

const publishedSchema = z.object({
  source: z.string(),
  accessor: z.string(),
  smap: z.enum(['off', 'on']),
  mpps: positive,
  /** Way of access in the words of the cost model. */
  variant: z.string().optional(),
  /** Kernel and machine, for people, and the profile that was fitted to them. */
  setup: z.string().optional(),
  profile: z.string().optional(),
})

const claimSchema = z.object({
  id: z.string(),
  text: z.string(),
  published: finite.nullable(),
  modelled: finite.nullable(),
  /** From this run's cells. */
  measured: finite.nullable().optional(),
  verdict: z.enum(['reproduced', 'not reproduced', 'not tested']),
  tolerance: finite.nullable(),
  /** Where the claim was made. */
  source: z.string().optional(),
  /** Why it was not tested, or what missed. */
  reason: z.string().optional(),
  /** Of a failure whose reason is known: what the model or the bench lacks. */
  missing: z.string().optional(),
  /** Published rows that its model was fitted without, as they are what the claim says. */
  leftOut: z.array(z.string()).optional(),
})

/** What steps cost on the machine itself, timed as machine code where user mode can. */
const machineSchema = z.object({
  /** Clock of the core; null: nothing was measured. */
  clockGHz: finite.nullable(),
  /** ns a step: a difference of two times, which the noise of both can make negative. */
  steps: z.record(z.string(), z.object({ median: finite, low: finite, high: finite })),
  /** Steps without a figure, and why: stac and clac are privileged. */
  notMeasured: z.record(z.string(), z.string()),
})

const environmentSchema = z.object({
  cpu: z.string(),
  cores: count,
  kernel: z.string(),
  node: z.string(),
  v8: z.string(),
  mitigations: z.record(z.string(), z.string()),
  loadBefore: finite,
  loadAfter: finite,
  steal: finite.nullable(),
  busy: z.array(z.string()),
  git: z.string().nullable(),
  machine: machineSchema.optional(),
})

/** Two cells of one run compared by rank test, Holm-corrected over the run. */
const comparisonSchema = z.object({
  before: z.string(),
  after: z.string(),
  ratio: intervalSchema,
  p: finite,
  verdict: z.enum(['faster', 'slower', 'no change']),
  /** Where the cores were in both. */
  class: placementSchema.optional(),
  /** Slices of the class, before and after. */
  slices: z.array(count).length(2).optional(),
  /** No verdict on a difference below this factor less 1: that of a cell against itself. */
  floor: finite.min(0).optional(),
})

const floorSchema = intervalSchema.extend({ slices: count }).nullable()

/** How a run saw where its cores are. */
const coresSchema = z.object({
  /** CPU of the driver, CPU of the device. */
  cores: z.array(count).length(2).nullable(),
  method: z.enum(['machine code', 'atomics']).nullable(),
  fifo: z.boolean(),
  /** Round trips at which near ends and far begins, ns. */
  bounds: z.object({ nearNs: positive, farNs: positive }),
  /** A hypervisor runs the machine. */
  moves: z.boolean(),
  sliceMs: count,
  needed: count,
  patienceMs: count,
  /** Why less is known than could be. */
  notes: z.array(z.string()),
})

/** `vring-bench/1`: what `vring-bench run` writes and `compare`, `report` and `merge` read. */
export const resultsSchema = z.object({
  schema: z.literal(RESULTS_SCHEMA),
  startedAt: z.iso.datetime(),
  command: z.array(z.string()),
  seed: count,
  environment: environmentSchema,
  cells: z.array(cellSchema),
  peers: z.array(peerSchema),
  published: z.array(publishedSchema),
  claims: z.array(claimSchema),
  /** The first cell against itself in another process; null when it was not measured. */
  noiseFloor: z
    .object({
      ratioLow: positive,
      ratioHigh: positive,
      /** Per class, of slices that ran one after the other. */
      classes: z.object({ near: floorSchema, between: floorSchema, far: floorSchema, unknown: floorSchema }).optional(),
    })
    .nullable(),
  /** Of a run with a driver on a core of its own. */
  placement: coresSchema.optional(),
  comparisons: z.array(comparisonSchema).optional(),
  /** False: interrupted, what is here is valid but not all. */
  complete: z.boolean().optional(),
  /** Largest resident set of the orchestrating process, bytes. */
  residentBytes: count.optional(),
  /** Part of a sharded run: `1/4`. */
  shard: z
    .string()
    .refine((text) => parseShard(text) !== null, { error: `accepted: ${SHARD_ACCEPTED}` })
    .optional(),
})

export type Results = z.infer<typeof resultsSchema>
export type CellResult = z.infer<typeof cellSchema>
export type PeerResult = z.infer<typeof peerSchema>
export type PublishedRow = z.infer<typeof publishedSchema>
export type ClaimResult = z.infer<typeof claimSchema>
export type Comparison = z.infer<typeof comparisonSchema>
export type Measured = z.infer<typeof measuredSchema>
export type ModelledRow = z.infer<typeof modelledSchema>

/** The schema as JSON Schema (draft 2020-12); published as `@vring/bench/results.schema.json`. */
export function resultsJsonSchema(): object {
  return { $id: 'https://vring.dev/results.schema.json', title: RESULTS_SCHEMA, ...z.toJSONSchema(resultsSchema) }
}

/** A number that has to be above 0 and is not, in the words of an argument that is refused. */
function aboveZero({ input }: { readonly input?: unknown }): string {
  return `${input === undefined ? 'missing' : `${String(input)} is not accepted`}; accepted: a number above 0`
}
