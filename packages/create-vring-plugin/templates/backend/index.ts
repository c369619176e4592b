/** The backend `template`: counts frames and forgets them. Say here in one line what yours does. */
export { template as default, template } from './template.ts'
