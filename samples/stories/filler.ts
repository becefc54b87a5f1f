/** Small talk around the stories: true to how channels read, about nothing the labelled questions ask for. */

export const SMALL_TALK: Readonly<Record<string, readonly string[]>> = {
  general: [
    'Good morning everyone!',
    'The kitchen coffee machine is being descaled until ten.',
    'Minutes of the all-hands are in the shared folder.',
    'Please fill in the seating survey.',
    'Fire drill at eleven, meet at the oak tree.',
    'Who left the umbrella in the lobby?',
  ],
  incidents: [
    'All quiet during the night.',
    'Handover done, nothing open.',
    'I take the pager until Monday.',
    'Test page, please ignore.',
    'Monitoring looks green on my side.',
  ],
  sales: [
    "Pipeline review moved to two o'clock.",
    'Can somebody share the latest slide deck?',
    'Demo went well, follow-up next week.',
    'Added notes to the CRM.',
    'Who covers the Nordics this week?',
    'Signed contract is in the folder :tada:',
  ],
  support: [
    'Queue is down to seven tickets.',
    'Answered the question about CSV downloads.',
    'Customer is happy, closing the ticket.',
    'Can anybody take the ticket about user roles?',
    'Updated the help article on adding team members.',
  ],
  firmware: [
    'Nightly build passed on all boards.',
    'Please review the bootloader change.',
    'Lab bench two is free again.',
    'Unit tests for the parser are merged.',
    'Oscilloscope is back from service.',
  ],
  platform: [
    'Merged the dependency updates.',
    'Staging is redeployed.',
    'Build times are down to six minutes.',
    'Rotated the staging keys as planned.',
    'Disk usage is at 61%, fine for now.',
    'Please squash before merging.',
  ],
  marketing: [
    'Newsletter goes out at nine.',
    'New photos are in the library.',
    'Blog post draft is ready for proofreading.',
    'Webinar has 42 sign-ups.',
    'Logo files are now available as SVG.',
  ],
  random: [
    'Happy birthday!',
    'Anybody up for table tennis?',
    'The sunset over the canal was great yesterday.',
    'Found a pair of gloves in meeting room B.',
    'Cake in the kitchen :cake:',
    'Good book recommendation, anyone?',
  ],
};

export const REPLIES = [
  'Thanks!',
  'Will do.',
  '+1',
  'Looks good to me.',
  'On my way.',
  'Let me check and come back to you.',
  'Done :white_check_mark:',
] as const;
