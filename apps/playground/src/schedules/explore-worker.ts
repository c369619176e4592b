import { answer } from './answer.ts'
import type { Request } from './protocol.ts'

self.addEventListener('message', ({ data }: MessageEvent<Request>) => self.postMessage(answer(data)))
