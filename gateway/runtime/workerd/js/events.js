// Turns what the gateway posts into an event of the user's Worker.

export default {
  async fetch(request, env) {
    const { scheduledTime, cron } = await request.json();
    return Response.json(await env.USER.scheduled({ scheduledTime: new Date(scheduledTime), cron }));
  },
};
